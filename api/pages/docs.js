"use strict";

// Swagger UI fills in every example at once, but a window has one form alone, and a
// cursor comes from an answer. So only what makes a good first question is filled in.
const FILLED_IN = ["wallet", "year", "twap_id"];

function withFewExamples(description) {
    for (const path of Object.values(description.paths)) {
        for (const parameter of path.get?.parameters ?? []) {
            const examples = parameter.schema?.examples;
            if (!FILLED_IN.includes(parameter.name) && examples) {
                parameter.description += ` Example: \`${examples[0]}\``;
                delete parameter.schema.examples;
            }
        }
    }
    return description;
}

SwaggerUIBundle({
    dom_id: "#swagger-ui",
    // Relative to the page, so that a proxy may serve the API under a path of its own.
    url: "openapi.json",
    deepLinking: true,
    tryItOutEnabled: true,
    displayRequestDuration: true,
    supportedSubmitMethods: ["get"],
    // Else the page would ask a server of Swagger's what it thinks of our description.
    validatorUrl: null,
    responseInterceptor(response) {
        if (response.url.endsWith("/openapi.json")) {
            response.text = JSON.stringify(withFewExamples(JSON.parse(response.text)));
        }
        return response;
    },
});
