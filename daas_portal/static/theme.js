// The hub's own choice of theme, so that hub and portal always match; else the system's.
const chosen = localStorage.getItem("jupyterhub-bs-theme");
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
document.documentElement.dataset.bsTheme = chosen ?? (dark ? "dark" : "light");
