/** Colours and layout of pages; plots name the same variables. */

/** `:root` of a page, and of a plot that stands alone. */
export const COLOURS = `
:root {
  color-scheme: light dark;
  --page: #f7f7f5; --card: #ffffff; --text: #1c1e21; --muted: #5d636b; --line: #c9ccd1; --grid: #ececea;
  --none: #8b9098; --original: #d9822b; --hitpath: #1769c2;
  --stage1: #1769c2; --stage2: #8a4fbf; --stage3: #1a936f; --stage4: #d1495b;
  --c1: #d9822b; --c2: #8a4fbf; --c3: #1a936f; --c4: #d1495b; --c5: #6b8e23; --c6: #b8860b; --c7: #c2529a; --c8: #4a6fa5;
  --met: #1a936f; --noise: #8b9098; --missed: #d1495b; --family: #74b0ea; --family-2: #17a2b8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14161a; --card: #1c1f25; --text: #e8e9eb; --muted: #a0a6b0; --line: #4a505a; --grid: #2a2e36;
    --none: #8f96a1; --original: #f0a04b; --hitpath: #5aa9f8;
    --stage1: #5aa9f8; --stage2: #bf8df0; --stage3: #4fc9a0; --stage4: #f2798a;
    --c1: #f0a04b; --c2: #bf8df0; --c3: #4fc9a0; --c4: #f2798a; --c5: #a3c95a; --c6: #e3b93c; --c7: #e88bc6; --c8: #8fb0e0;
    --met: #4fc9a0; --noise: #8f96a1; --missed: #f2798a; --family: #2f6fb3; --family-2: #4cc3d9;
  }
}
`

export const STYLE = `${COLOURS}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 24px 48px; }
h1 { font-size: 27px; line-height: 1.2; margin: 0 0 10px; letter-spacing: -0.01em; }
h2 { font-size: 18px; margin: 40px 0 6px; }
h3 { font-size: 14px; margin: 0 0 6px; font-weight: 600; }
.lead { max-width: 76ch; margin: 0; color: var(--muted); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 12px; margin: 24px 0 0; }
.tile { background: var(--card); border-radius: 10px; padding: 14px 16px; border: 1px solid var(--grid); }
.tile b { display: block; font-size: 25px; line-height: 1.25; color: var(--hitpath); font-variant-numeric: tabular-nums; }
.tile span { color: var(--muted); font-size: 13px; line-height: 1.35; display: block; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(420px, 100%), 1fr)); gap: 14px; margin: 10px 0 0; }
figure { display: flex; flex-direction: column; margin: 0; background: var(--card); border: 1px solid var(--grid); border-radius: 10px; padding: 14px 16px 10px; }
figure svg { width: 100%; height: auto; display: block; font-family: inherit; }
figcaption { color: var(--muted); font-size: 13px; }
figcaption p, .note { margin: 4px 0 0; }
.note { color: var(--muted); font-size: 13px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 6px 0 0; font-size: 13px; color: var(--text); }
.chip { white-space: nowrap; }
.chip i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; vertical-align: -1px; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--grid); border-radius: 10px; padding: 8px 16px; }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 8px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--grid); font-weight: normal; }
thead tr:first-child th { text-align: center; }
thead th { color: var(--muted); }
thead tr:first-child th { color: var(--text); font-weight: 600; border-bottom: 0; }
tbody th { text-align: left; }
tbody tr:last-child th, tbody tr:last-child td { border-bottom: 0; }
details { font-size: 13px; margin: 6px 0 0; }
summary { cursor: pointer; color: var(--muted); }
.scroll details { padding: 3px 0; margin: 0; }
.scroll details table { width: auto; }
.scroll td:first-child { text-align: left; }
.wide { background: var(--card); border: 1px solid var(--grid); border-radius: 10px; padding: 14px 16px 10px; margin: 10px 0 0; overflow-x: auto; }
.wide svg { width: 100%; min-width: 720px; height: auto; display: block; font-family: inherit; }
footer { margin: 28px 0 0; color: var(--muted); font-size: 12.5px; }
footer p { margin: 2px 0; }
`
