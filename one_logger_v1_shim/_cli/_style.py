"""The look of a page. Colours differ in lightness as well, so that they are told apart without seeing colour."""

STYLE = """
:root { color-scheme: light dark; --back: #fff; --text: #1b1b1b; --soft: #595959; --line: #d9d9d9; --card: #f5f6f8;
  --kept: #0b4f8a; --open: #7fb2e0; --lost: #f58518; --start: #8d6cab; --save: #1f9e89; --idle: #e3cf57;
  --between: #e2e2e2; --unknown: #3c3c3c; --c0: #0b4f8a; --c1: #b8560f; --c2: #16786a; --c3: #6b3fa0; --c4: #8a6d00;
  --c5: #4d4d4d }
@media (prefers-color-scheme: dark) {
  :root { --back: #15171a; --text: #ececec; --soft: #b0b3b8; --line: #3a3d42; --card: #1f2226;
  --kept: #8ec5ff; --open: #3d78b0; --lost: #dd6410; --start: #a98bc7; --save: #2bb39c; --idle: #e6d36a;
  --between: #34373b; --unknown: #c9c9c9; --c0: #8ec5ff; --c1: #ffab66; --c2: #4fd0bb; --c3: #c9a8ee; --c4: #e6d36a;
  --c5: #d0d0d0 } }
body { font: 16px/1.45 system-ui, sans-serif; margin: 0; background: var(--back); color: var(--text) }
main { max-width: 72rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.4rem; overflow-wrap: anywhere }
h2 { font-size: 1.1rem; margin: 2rem 0 .6rem; overflow-wrap: anywhere }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 13rem), 1fr)); gap: .7rem; margin: 0 }
.tiles div { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .7rem .9rem }
.tiles dt { color: var(--soft) } .tiles dd { margin: 0; font-size: 1.5rem; font-weight: 600; overflow-wrap: anywhere }
.tiles dd.hint { font-size: .9rem; font-weight: 400; color: var(--soft) }
table { border-collapse: collapse; width: 100% }
td, th { padding: .3rem .8rem .3rem 0; vertical-align: top; text-align: left; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; font-weight: 400 }
.wide .n { white-space: nowrap } .wide { font-size: .93rem } .wide th { overflow-wrap: normal }
th { color: var(--soft) } .lines th { width: 17rem }
.bar { display: block; width: 100%; max-width: 30rem; height: .5rem; margin-top: .2rem }
details { margin: 1rem 0 } summary { cursor: pointer; color: var(--soft) }
summary:focus-visible { outline: 3px solid var(--c0) }
.notes { color: var(--text); padding-left: 1.2rem; overflow-wrap: anywhere }
figure { margin: 1rem 0 1.6rem } figcaption { font-weight: 600 }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: .3rem 0 .6rem; padding: 0;
  font-size: .9rem }
.legend svg { width: .9rem; height: .9rem; margin-right: .35rem; vertical-align: -.1rem }
.lane, .axis { display: grid; grid-template-columns: 7rem 1fr; gap: .6rem; margin-bottom: .3rem }
.lane .name, .axis .name { color: var(--soft); font-size: .85rem; position: relative; text-align: right }
.plot { position: relative; height: 1.9rem; background: var(--card) }
.plot svg { position: absolute; inset: 0; width: 100%; height: 100% }
.tall .plot { height: 13rem; border-left: 1px solid var(--line); border-bottom: 1px solid var(--line) }
.tall .name span { position: absolute; right: 0; transform: translateY(50%) }
.ticks { position: relative; height: 1.4rem; font-size: .8rem; color: var(--soft); overflow: hidden }
.ticks span { position: absolute; padding-left: .2rem; border-left: 1px solid var(--soft); white-space: nowrap }
.ticks .end { padding: 0 .2rem 0 0; border: 0; border-right: 1px solid var(--soft) }
.cross { color: var(--text); font-weight: 700 }
.plot .cross { position: absolute; top: 0; transform: translateX(-50%); font-size: 1.3rem; line-height: 1.9rem;
  text-shadow: 0 0 3px var(--back), 0 0 3px var(--back) }
.line { fill: none; stroke-width: 2px; vector-effect: non-scaling-stroke; stroke: var(--c0) }
.c1 { stroke: var(--c1); stroke-dasharray: 7 3 } .c2 { stroke: var(--c2); stroke-dasharray: 2 3 }
.c3 { stroke: var(--c3); stroke-dasharray: 10 3 2 3 } .c4 { stroke: var(--c4) } .c5 { stroke: var(--c5) }
.line.lost { stroke: var(--lost); stroke-width: 5px; stroke-dasharray: none; fill: none }
.k-kept { fill: var(--kept) } .k-open { fill: var(--open) } .k-lost { fill: var(--lost) }
.k-start { fill: var(--start) }
.k-save { fill: var(--save) } .k-idle { fill: var(--idle) } .k-between { fill: var(--between) }
.k-unknown { fill: var(--unknown) }
@media (max-width: 46rem) {
  .wide thead { display: none }
  .wide, .wide tbody { display: block }
  .wide tr { display: block; background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
    padding: .4rem .7rem; margin-bottom: .6rem }
  .wide .n { white-space: normal }
  .wide td:first-child { font-weight: 600 }
  .wide td { display: grid; grid-template-columns: 8.5rem 1fr; gap: .6rem; border: 0; padding: .1rem 0 }
  .wide td::before { content: attr(data-name); color: var(--soft) }
  .lines th { width: 9rem }
  .lane, .axis { grid-template-columns: 4.6rem 1fr }
  .ticks span:nth-child(even), .times .end { display: none }
}
@media print { details > * { display: block } }
"""
