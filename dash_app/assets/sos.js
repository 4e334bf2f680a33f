// What must go on when the server does not: the age of everything, and the word STALE.
// Ages are counted on the platform's clock as the server last told it, plus what this browser's own stopwatch
// has measured since. The browser's wall clock is never compared with the platform's.
(function () {
  "use strict";

  const STALE_MS = 3 * 60 * 1000;
  const SILENT_MS = 15 * 1000;

  let pulse = null; // the server's last answer
  let heard = 0; // when it came, on this browser's stopwatch
  let clock = null; // the last good platform time: { now, at }
  let words = {};

  const fill = (text, parts) => text.replace(/\{(\w+)\}/g, (_, name) => parts[name]);

  function platformNow() {
    return clock === null ? null : clock.now + (performance.now() - clock.at);
  }

  function span(ms) {
    const s = Math.max(0, Math.floor(ms / 1000));
    if (s < 60) return fill(words.age_s, { s });
    if (s < 3600) return fill(words.age_min, { m: Math.floor(s / 60), s: s % 60 });
    if (s < 86400) return fill(words.age_h, { h: Math.floor(s / 3600), m: Math.floor((s % 3600) / 60) });
    return fill(words.age_d, { d: Math.floor(s / 86400), h: Math.floor((s % 86400) / 3600) });
  }

  function age(since) {
    const now = platformNow();
    return now === null ? "-" : span(now - since);
  }

  function judge() {
    if (!pulse) return ["stale", words.connecting];
    const silent = performance.now() - heard;
    const data = pulse.data ? fill(words.data_of, { time: pulse.data_clock, age: age(pulse.data) }) : words.no_data_yet;
    const stale = (why) => ["stale", [words.stale, why, ...(pulse.data ? [words.kept, data] : [])].join(" · ")];
    if (silent > SILENT_MS) return stale(fill(words.server_silent, { age: span(silent) }));
    if (!pulse.ok) return stale(words.store_away);
    if (!pulse.data) return ["stale", data];
    if (platformNow() - pulse.data > STALE_MS) return ["stale", `${words.stale} · ${data}`];
    return ["live", `${words.live} · ${data}`];
  }

  function count(element) {
    const now = platformNow();
    if (now === null) return;
    if (element.dataset.until !== undefined) {
      const left = Number(element.dataset.until) - now;
      element.dataset.age = left > 0 ? `${words.first_value_in} ${span(left)}` : words.first_value_due;
      return;
    }
    const old = now - Number(element.dataset.since);
    element.dataset.age = span(old);
    element.toggleAttribute("data-old", Number(element.dataset.maxAge) * 1000 <= old);
  }

  function refreshGrid() {
    // Asking for a grid that is not drawn yet is an error.
    if (!document.querySelector("#grid .ag-row")) return;
    window.dash_ag_grid.getApi("grid").refreshCells({ columns: ["age"], force: true });
  }

  function second(_tick, newest, texts) {
    words = texts;
    if (newest && (!pulse || newest.beat !== pulse.beat)) {
      pulse = newest;
      heard = performance.now();
      // While the database is away the server repeats an old time: the stopwatch runs on from the last good one.
      if (newest.ok) clock = { now: newest.now, at: heard };
    }
    const [state, line] = judge();
    document.body.dataset.freshness = state;
    document.querySelectorAll(".age[data-since], .age[data-until]").forEach(count);
    refreshGrid();
    return line;
  }

  function go(address) {
    if (!address) return window.dash_clientside.no_update;
    const next = new URL(address, window.location.origin);
    const lang = new URLSearchParams(window.location.search).get("lang");
    if (lang) next.searchParams.set("lang", lang);
    if (next.href !== window.location.href) {
      window.history.pushState({}, "", next.href);
      window.dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
    }
    return window.dash_clientside.no_update;
  }

  // A list that is drawn anew takes the keyboard's focus with it: give it back to the element of the same id.
  let focused = null;
  document.addEventListener("focusin", (event) => (focused = event.target.id ? event.target : null));
  document.addEventListener("pointerdown", () => (focused = null));
  new MutationObserver(() => {
    if (!focused || focused.isConnected || document.activeElement !== document.body) return;
    focused = document.getElementById(focused.id);
    if (focused) focused.focus({ preventScroll: true });
  }).observe(document.documentElement, { childList: true, subtree: true });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a.lang");
    if (!link) return;
    event.preventDefault();
    const here = new URL(window.location.href);
    here.searchParams.set("lang", link.lang);
    window.location.assign(here.href);
  });

  window.sos = { age };
  window.dash_clientside = Object.assign({}, window.dash_clientside, { sos: { go, second } });
})();
