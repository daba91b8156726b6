"use strict";

// Swagger UI fills in each `example`. The description has one only where all of them are a
// good first question together; the others, of the schemas, are told in words.
function withExamplesInWords(description) {
    for (const path of Object.values(description.paths)) {
        for (const parameter of path.get?.parameters ?? []) {
            if (!("example" in parameter)) {
                parameter.description += ` Example: \`${parameter.schema.examples[0]}\``;
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
            response.text = JSON.stringify(withExamplesInWords(JSON.parse(response.text)));
        }
        return response;
    },
});
