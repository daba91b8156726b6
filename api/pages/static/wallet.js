"use strict";

// The form that asks for a wallet: it looks at what is typed, and says what is known of it.

const wallet = document.getElementById("wallet");
const year = document.getElementById("year");
const hint = document.getElementById("wallet-hint");
const filter = document.querySelector("form.filter");

const PAUSE = 250; // Milliseconds after the last key.
const ADDRESS = /^0x[0-9a-f]{40}$/i;

let asked; // The newest question, which ends the one before.

function aboutForm(text) {
    if (ADDRESS.test(text)) {
        return "";
    }
    if (/^[0-9]+$/.test(text)) {
        return "A number is the id of a TWAP, not a wallet. ";
    }
    const digits = /^0x([0-9a-f]*)$/i.exec(text);
    if (digits) {
        return `An address has 40 digits after 0x, this has ${digits[1].length}. `;
    }
    return "An address begins with 0x and has 40 digits, 0 to 9 and a to f. ";
}

function aboutWallet(known) {
    if (known.twaps === 0) {
        return "No TWAP of this wallet is known.";
    }
    const [first, last] = [known.first_event, known.last_event].map(at => at.slice(0, 10));
    const count = known.twaps.toLocaleString("en");
    return `${count} ${known.twaps === 1 ? "TWAP" : "TWAPs"}, from ${first} to ${last}.`;
}

async function check() {
    asked?.abort();
    const text = wallet.value.trim();
    if (text === "") {
        hint.textContent = "Upper and lower case are the same.";
        return;
    }
    asked = new AbortController();
    const { signal } = asked;
    try {
        const address = `api/v1/wallets/${encodeURIComponent(text)}`;
        const answer = await fetch(address, { signal });
        const body = await answer.json();
        const known = answer.ok ? aboutWallet(body) : body.error.message;
        // Short and other addresses that are known need no advice.
        hint.textContent = body.twaps ? known : aboutForm(text) + known;
    } catch (error) {
        if (!signal.aborted) {
            hint.textContent = `${aboutForm(text)}The server does not answer at the moment.`;
        }
    }
}

let pause;
wallet.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(check, PAUSE);
    // Another wallet has other years: the newest one of its own.
    year.value = "";
});

// A filter that is chosen is applied.
filter?.addEventListener("change", () => filter.requestSubmit());

// Who comes back to a page finds the filter that it shows, not the one chosen on leaving it.
addEventListener("pageshow", ({ persisted }) => {
    if (persisted) {
        filter?.reset();
    }
});
