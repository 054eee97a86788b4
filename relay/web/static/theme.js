// Before the first paint: the theme that was chosen here, and the zone that times are told in.
(() => {
  const chosen = localStorage.getItem("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) {
    document.cookie = `wr_zone=${zone}; path=/dashboard; max-age=31536000; samesite=lax`;
  }
})();
