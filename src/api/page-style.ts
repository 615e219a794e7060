// The style of the status page: one column on a phone, light or dark as the reader's system is. No fonts or images from elsewhere.

export const STYLE = `
:root { color-scheme: light dark; --bg: #f6f7f9; --card: #fff; --line: #dfe3e8; --text: #1b2430; --soft: #5c6876;
  --ok: #1a7f4b; --bad: #c0362c; --warn: #9a6700; --info: #2563a8; --link: #1d5fa7; }
@media (prefers-color-scheme: dark) {
  :root { --bg: #12161c; --card: #1a2029; --line: #2d3641; --text: #e3e8ee; --soft: #97a3b1;
    --ok: #4cc38a; --bad: #ff7b72; --warn: #e3b341; --info: #79b8ff; --link: #79b8ff; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--text); font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 20px 16px 48px; }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 14px; }
h1 { font-size: 22px; margin: 0; letter-spacing: -0.01em; }
h2 { font-size: 15px; margin: 28px 0 8px; }
a { color: var(--link); }
nav { margin: 6px 0 0; display: flex; flex-wrap: wrap; gap: 4px 16px; }
.soft { color: var(--soft); }
.badge { border-radius: 999px; padding: 1px 10px; font-size: 13px; font-weight: 600; border: 1px solid currentColor; }
.ok { color: var(--ok); } .error { color: var(--bad); } .warning { color: var(--warn); } .info { color: var(--info); }
.findings { list-style: none; margin: 18px 0 0; padding: 0; display: grid; gap: 8px; }
.findings li { background: var(--card); border: 1px solid var(--line); border-left: 4px solid currentColor; border-radius: 6px; padding: 9px 14px; overflow-wrap: anywhere; }
.findings li:first-child { font-size: 16px; font-weight: 600; }
.findings span { color: var(--text); }
.stages { list-style: none; margin: 0; padding: 0; display: grid; gap: 10px; grid-template-columns: repeat(4, minmax(0, 1fr)); }
.stages li { background: var(--card); border: 1px solid var(--line); border-top: 3px solid var(--ok); border-radius: 6px; padding: 10px 12px; min-width: 0; color: var(--text); overflow-wrap: anywhere; }
.stages li.zero { border-top-color: var(--soft); }
.stages li.off { border-top-color: var(--line); opacity: 0.65; }
.stages li.first { border-color: var(--bad); }
.stages h3 { margin: 0; font-size: 13px; font-weight: 600; color: var(--soft); }
.stages .count { font-size: 24px; font-weight: 650; line-height: 1.25; font-variant-numeric: tabular-nums; }
.stages .count small { font-size: 13px; font-weight: 400; color: var(--soft); }
.stages p { margin: 2px 0 0; font-size: 13px; }
.drops { list-style: none; margin: 6px 0 0; padding: 6px 0 0; border-top: 1px dashed var(--line); font-size: 13px; }
.stages .drops li { all: unset; display: block; color: var(--warn); overflow-wrap: anywhere; }
.table { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 6px 12px; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; font-size: 13px; }
tr:last-child td { border-bottom: 0; }
th.t, td.t { text-align: left; }
td.wrap { white-space: normal; min-width: 200px; max-width: 420px; overflow-wrap: anywhere; }
.note { font-size: 13px; margin: 6px 2px 0; }
@media (max-width: 760px) { .stages { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
@media (max-width: 420px) { .stages { grid-template-columns: 1fr; } th, td { padding: 6px 8px; } }
`;
