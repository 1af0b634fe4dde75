/** Light and dark by the reader's preference; a colour for each method, the same everywhere on the page. */
export const style = `
:root { color-scheme: light dark; --ink: #1d2528; --soft: #5d6b70; --line: #dfe5e6; --paper: #fbfcfb; --track: #eef2f1;
  --measured: #1f7a5c; --derived: #3b5fa8; --estimated: #b3661a; --unavailable: #a3324b }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ecea; --soft: #9fb0ad; --line: #2f3a3a; --paper: #14191a; --track: #212a2a;
  --measured: #4fc29a; --derived: #84a7ee; --estimated: #e0a05a; --unavailable: #ee7f96 } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif }
main { max-width: 60rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem }
h1 { font-size: 1.9rem; margin: 0 } h2 { font-size: 1.2rem; margin: 2.75rem 0 .5rem }
.lead, figcaption, .none { color: var(--soft) } .lead { margin: .25rem 0 1.5rem } figcaption { font-size: .9rem }
.headline { border: 1px solid var(--line); border-left: .5rem solid; border-radius: .5rem; padding: 1rem 1.25rem }
.headline strong { display: block; font-size: 2.4rem; line-height: 1.15; letter-spacing: -.01em }
.headline b { font-size: 1.5rem; text-transform: uppercase; letter-spacing: .06em } .headline p { margin: .25rem 0 0; color: var(--ink) }
.headline li { color: var(--soft) } .headline ul { margin: .5rem 0 0; padding-left: 1.2rem }
.measured { color: var(--measured) } .derived { color: var(--derived) } .estimated { color: var(--estimated) } .unavailable { color: var(--unavailable) }
.headline strong { color: var(--ink) }
figure { margin: 0 } svg { width: 100%; height: auto; font-size: 13px } text { fill: var(--soft) } .grid { stroke: var(--line); stroke-width: 1 }
path.line { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round } path.band { fill: currentColor; opacity: .22 }
.key::before { content: ''; display: inline-block; width: .9em; height: .9em; border-radius: .2em; background: currentColor; margin-right: .4em; vertical-align: -.08em }
.key { margin-right: .5rem }
.bar { display: grid; grid-template-columns: 11rem minmax(8rem, 1fr) 21rem; gap: .25rem 1rem; align-items: center; padding: .35rem 0 }
.name { overflow-wrap: anywhere } .value { color: var(--soft); font-size: .92rem; font-variant-numeric: tabular-nums } .value.unavailable { color: var(--unavailable) }
.track { position: relative; height: 1.1rem; background: var(--track); border-radius: .25rem } .track i { position: absolute; top: 0; bottom: 0 }
.fill { background: currentColor; opacity: .75; border-radius: .25rem } .whisker { box-sizing: border-box; border: solid var(--ink); border-width: 0 2px }
.whisker::before { content: ''; position: absolute; left: 0; right: 0; top: 50%; border-top: 2px solid var(--ink) }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem }
th, td { padding: .35rem 1.1rem .35rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top } td { white-space: nowrap } td:last-child { white-space: normal; min-width: 14rem } th { color: var(--soft); font-weight: 600 }
code { font-size: .85rem; overflow-wrap: anywhere } footer { margin-top: 3rem; color: var(--soft); font-size: .85rem }
@media (max-width: 46rem) { .bar { grid-template-columns: 1fr } }
`
