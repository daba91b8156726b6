"use strict";

// Charts of what the tables of the page hold already. Who cannot see them, or has no
// JavaScript, misses nothing.

const HEIGHT = 220;
const DAY = 86400;
const WHOLE_DAYS = [1, 2, 5, 10, 30, 90, 365].map(days => days * DAY);

const OUTCOMES = {
    finished: "finished",
    completed: "finished",
    terminated: "terminated",
    canceled: "terminated",
    cancelled: "terminated",
    stopped: "stopped",
    error: "error",
    activated: "running",
    waitingForTrigger: "running",
    executing: "running",
    running: "running",
};

const colour = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
const seconds = text => Date.parse(text) / 1000;
const usd = amount => `${Math.round(amount).toLocaleString("en")} USD`;
const utc = at => new Date(at * 1000).toISOString();
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

function element(parent, name, className, text = "") {
    const made = document.createElement(name);
    made.className = className;
    made.textContent = text;
    parent.append(made);
    return made;
}

// Written as in the tables: 11/2 is another day elsewhere.
function moments(_, splits, axis, space, step) {
    const [day, year] = [[5, 10], [0, 4]];
    const [above, below] = step < DAY ? [[11, step < 60 ? 19 : 16], day] : [day, year];
    const part = (at, place) => utc(at).slice(...place);
    return splits.map((at, index) =>
        index > 0 && part(at, below) === part(splits[index - 1], below)
            ? part(at, above)
            : `${part(at, above)}\n${part(at, below)}`,
    );
}

function axes() {
    const both = { stroke: colour("quiet"), grid: { stroke: colour("line"), width: 1 } };
    return [
        { ...both, grid: { show: false }, values: moments },
        { ...both, size: 64, values: (_, splits) => splits.map(each => each === null ? "" : short.format(each)) },
    ];
}

function logarithmic([across, up]) {
    const powers = ({ scales: { y } }) => {
        const least = Math.ceil(Math.log10(y.min));
        const most = Math.floor(Math.log10(y.max));
        return Array.from({ length: most - least + 1 }, (_, step) => 10 ** (least + step));
    };
    return [across, { ...up, splits: powers, filter: (_, splits) => splits }];
}

// uPlot shows moments in the zone of the browser; all of ours are UTC.
const tzDate = at => uPlot.tzDate(new Date(at * 1000), "Etc/UTC");

function draw(figure, options, data) {
    const place = element(figure, "div", "plot");
    // The table says the same.
    place.setAttribute("aria-hidden", "true");
    figure.querySelector("figcaption").after(place);
    const plot = new uPlot(
        {
            width: figure.clientWidth,
            height: HEIGHT,
            tzDate,
            legend: { show: false },
            cursor: { y: false, points: { show: false } },
            axes: axes(),
            ...options,
        },
        data,
        place,
    );
    new ResizeObserver(() => plot.setSize({ width: figure.clientWidth, height: HEIGHT })).observe(figure);
    return plot;
}

function drawDays(figure) {
    const rows = [...figure.querySelectorAll("tr[data-day]")].map(({ dataset }) => ({
        day: seconds(dataset.day),
        bought: Number(dataset.bought),
        sold: Number(dataset.sold),
        other: Number(dataset.other),
    }));
    if (rows.length === 0) {
        return;
    }
    const readout = element(figure, "p", "readout");
    const bars = uPlot.paths.bars({ size: [0.8, 48], align: 1 });
    // What stands on top is drawn first, as a whole column, and the rest over it.
    const series = name => ({ fill: () => colour(name), width: 0, paths: bars, points: { show: false } });
    const [across, up] = axes();
    draw(
        figure,
        {
            axes: [{ ...across, incrs: WHOLE_DAYS }, up],
            scales: {
                x: { range: [rows[0].day, rows.at(-1).day + DAY] },
                y: { range: (_, least, most) => [0, most * 1.05] },
            },
            series: [{}, series("other"), series("sold"), series("bought")],
            hooks: {
                setCursor: [
                    plot => {
                        const row = rows[plot.cursor.idx];
                        readout.textContent = row === undefined
                            ? ""
                            : `${utc(row.day).slice(0, 10)}: bought ${usd(row.bought)}, sold ${usd(row.sold)}`;
                    },
                ],
            },
        },
        [
            rows.map(row => row.day),
            rows.map(row => row.bought + row.sold + row.other),
            rows.map(row => row.bought + row.sold),
            rows.map(row => row.bought),
        ],
    );
    const legend = element(figure, "ul", "legend");
    element(legend, "li", "bought", "bought");
    element(legend, "li", "sold", "sold");
    figure.querySelector(".plot").after(legend, readout);
}

function drawTwaps(figure) {
    const rows = [...document.querySelectorAll("#list tbody tr")]
        .filter(({ dataset }) => dataset.start !== "")
        .map(row => ({
            start: seconds(row.dataset.start),
            end: seconds(row.dataset.end),
            notional: Number(row.dataset.notional),
            status: row.dataset.status,
            words: [...row.cells].slice(0, 4).map(cell => cell.innerText.trim()).join(" · "),
            link: row.querySelector("a").href,
        }))
        .sort((one, other) => one.start - other.start);
    if (rows.length === 0) {
        return;
    }
    const executed = rows.map(row => row.notional).filter(each => each > 0);
    const least = Math.min(1, ...executed);
    const most = Math.max(10, ...executed);
    const first = rows[0].start;
    const last = Math.max(...rows.map(row => row.end));
    const margin = Math.max((last - first) * 0.02, 60);
    const readout = element(figure, "p", "readout");
    let boxes = [];

    function drawBars(plot) {
        const scale = devicePixelRatio;
        const height = 5 * scale;
        const { ctx, bbox } = plot;
        ctx.save();
        ctx.beginPath();
        ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
        ctx.clip();
        boxes = rows.map(row => {
            const left = plot.valToPos(row.start, "x", true);
            const right = plot.valToPos(row.end, "x", true);
            // What executed nothing lies on the ground.
            const middle = row.notional > 0
                ? plot.valToPos(row.notional, "y", true)
                : bbox.top + bbox.height - height;
            ctx.fillStyle = colour(OUTCOMES[row.status] ?? "other");
            ctx.fillRect(left, middle - height / 2, Math.max(right - left, 3 * scale), height);
            return {
                left: (left - bbox.left) / scale,
                right: (Math.max(right, left) - bbox.left) / scale,
                middle: (middle - bbox.top) / scale,
            };
        });
        ctx.restore();
    }

    function nearest(plot) {
        const { left, top } = plot.cursor;
        let found;
        let distance = 24;
        boxes.forEach((box, index) => {
            const aside = Math.max(box.left - left, left - box.right, 0);
            const away = Math.hypot(aside, box.middle - top);
            if (away < distance) {
                distance = away;
                found = rows[index];
            }
        });
        return found;
    }

    const plot = draw(
        figure,
        {
            scales: {
                x: { range: (_, from, to) => from === null ? [first - margin, last + margin] : [from, to] },
                y: { distr: 3, range: [least / 2, most * 2] },
            },
            axes: logarithmic(axes()),
            series: [{}, { paths: () => null, points: { show: false } }],
            hooks: {
                draw: [drawBars],
                setCursor: [
                    plot => {
                        const row = nearest(plot);
                        readout.textContent = row === undefined
                            ? "Draw with the mouse to look closer; a double click shows all again."
                            : `${row.words} · ${usd(row.notional)} · ${utc(row.start).slice(0, 16)} to ${utc(row.end).slice(0, 16)}`;
                    },
                ],
            },
        },
        [[first - margin, ...rows.map(row => row.start), last + margin], [null, ...rows.map(row => row.notional || null), null]],
    );
    plot.over.addEventListener("click", () => {
        const row = nearest(plot);
        if (row !== undefined && plot.select.width === 0) {
            location.href = row.link;
        }
    });
    const legend = element(figure, "ul", "legend");
    for (const status of new Set(rows.map(row => row.status))) {
        const words = document.querySelector(`#list .status[data-status="${CSS.escape(status)}"]`);
        element(legend, "li", OUTCOMES[status] ?? "", words.textContent);
    }
    figure.querySelector(".plot").after(legend, readout);
}

function drawAll() {
    for (const old of document.querySelectorAll(".plot, .chart .readout, .chart .legend")) {
        old.remove();
    }
    document.querySelectorAll('[data-chart="days"]').forEach(drawDays);
    document.querySelectorAll('[data-chart="twaps"]').forEach(drawTwaps);
}

drawAll();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
