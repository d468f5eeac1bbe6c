"""The style sheet of ``report.html``: light and dark, on screen and on paper. Text has a contrast of 4.5 or more."""

STYLE = """
:root { color-scheme: light dark;
  --paper: #ffffff; --ground: #f5f6f8; --ink: #1b1f27; --soft: #596273; --line: #dfe3ea; --track: #edf0f4;
  --high: #c02438; --medium: #a85d00; --low: #2666b0; --note: #626b7a; --good: #1f7a4d; --accent: #3d4fc4;
  --high-tint: #fdeef0; --good-tint: #eaf6ef; --code: #f3f4f7; --plus: #e3f5ea; --minus: #fde9eb; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #171a21; --ground: #0f1116; --ink: #e8ebf1; --soft: #a3adbd; --line: #2b313d; --track: #222731;
  --high: #ff8290; --medium: #f0ae5a; --low: #7db4f5; --note: #a3adbd; --good: #66cf99; --accent: #9fadff;
  --high-tint: #321b20; --good-tint: #14291f; --code: #1f242d; --plus: #163325; --minus: #3a1d22; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
.skip { position: absolute; left: -9999px; } .skip:focus { left: 1rem; top: 1rem; background: var(--paper); padding: .5rem; }
header, main, footer { max-width: 64rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 3rem; }
.eyebrow { margin: 0; color: var(--soft); font-size: .8rem; letter-spacing: .09em; text-transform: uppercase; font-weight: 600; }
h1 { margin: .2rem 0 1rem; font-size: 2.1rem; line-height: 1.2; letter-spacing: -.02em; overflow-wrap: anywhere; }
h2 { margin: 3rem 0 .8rem; font-size: 1.3rem; letter-spacing: -.01em; }
h3 { margin: 0; font-size: 1rem; line-height: 1.4; overflow-wrap: anywhere; }
p { margin: .4rem 0; } a { color: var(--accent); }
.verdict { display: flex; gap: .8rem; align-items: center; padding: .9rem 1.1rem; border-radius: .7rem; font-weight: 600;
  border: 1px solid; background: var(--good-tint); color: var(--good); }
.verdict.stop { background: var(--high-tint); color: var(--high); }
.verdict .mark { font-size: 1.3rem; line-height: 1; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.2rem; margin: 1.2rem 0 0; font-size: .93rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .8rem; margin: 1.6rem 0 0;
  padding: 0; list-style: none; }
.tiles li { background: var(--paper); border: 1px solid var(--line); border-radius: .7rem; padding: .8rem 1rem; }
.tiles strong { display: block; font-size: 1.75rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--soft); font-size: .85rem; }
.is-high { color: var(--high); } .is-medium { color: var(--medium); } .is-low { color: var(--low); }
.is-note { color: var(--note); } .is-good { color: var(--good); }
.card, figure.chart, .scroll, details { background: var(--paper); border: 1px solid var(--line); border-radius: .7rem; }
.card { padding: 1rem 1.2rem 1.1rem; margin: 0 0 .9rem; border-left: 4px solid var(--note); }
.card.high { border-left-color: var(--high); } .card.medium { border-left-color: var(--medium); }
.card.low { border-left-color: var(--low); }
.tags { display: flex; flex-wrap: wrap; gap: .3rem .9rem; margin: .3rem 0 .2rem; color: var(--soft); font-size: .85rem; }
.severity { font-weight: 700; text-transform: uppercase; letter-spacing: .05em; font-size: .75rem; }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .86em; }
code { overflow-wrap: anywhere; }
pre { background: var(--code); border-radius: .5rem; padding: .75rem .9rem; margin: .7rem 0 .3rem; overflow-x: auto; line-height: 1.5;
  white-space: pre; tab-size: 4; }
pre span { display: block; margin: 0 -.9rem; padding: 0 .9rem; min-height: 1.5em; }
pre .plus { background: var(--plus); } pre .minus { background: var(--minus); } pre .here { font-weight: 700; }
.advice { margin: .5rem 0 0; } .advice::before { content: "→ "; color: var(--accent); font-weight: 700; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(28rem, 100%), 1fr)); gap: .9rem; }
figure.chart { margin: 0; padding: 1rem 1.2rem; } figcaption { font-weight: 600; margin-bottom: .6rem; }
svg { width: 100%; height: auto; display: block; } svg text { font-size: 13px; fill: var(--ink); }
svg .amount { fill: var(--soft); } svg .fill-track { fill: var(--track); }
.fill-high { fill: var(--high); background: var(--high); } .fill-medium { fill: var(--medium); background: var(--medium); }
.fill-low { fill: var(--low); background: var(--low); } .fill-note { fill: var(--note); background: var(--note); }
.fill-good { fill: var(--good); background: var(--good); } .fill-accent { fill: var(--accent); background: var(--accent); }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; list-style: none; margin: .6rem 0 0; padding: 0; font-size: .85rem;
  color: var(--soft); }
.swatch { display: inline-block; width: .7rem; height: .7rem; border-radius: .2rem; margin-right: .4rem; }
.scroll { overflow-x: auto; margin: 0 0 .9rem; } details { padding: .2rem 1.2rem; } summary { cursor: pointer; padding: .6rem 0; font-weight: 600; }
details .scroll { border: 0; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
caption { text-align: left; font-weight: 600; padding: .9rem 1.1rem .4rem; }
th { text-align: left; color: var(--soft); font-weight: 600; font-size: .82rem; white-space: nowrap; }
th, td { padding: .5rem 1.1rem; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
td:first-child { min-width: 11rem; } tbody tr:last-child td { border-bottom: 0; } .number { text-align: right; font-variant-numeric: tabular-nums; }
.nothing { color: var(--soft); } footer { padding: 2.5rem 1.5rem 3rem; color: var(--soft); font-size: .85rem; }
@media (max-width: 40rem) { header { padding-top: 1.5rem; } h1 { font-size: 1.6rem; } dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; } }
@media print { :root { --paper: #fff; --ground: #fff; --ink: #000; --soft: #444; --line: #bbb; --code: #f4f4f4; }
  body { font-size: 10.5pt; } .card, figure, tr { break-inside: avoid; } .skip { display: none; } pre { white-space: pre-wrap; }
  h2 { break-after: avoid; } .tiles strong { font-size: 1.3rem; } * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
