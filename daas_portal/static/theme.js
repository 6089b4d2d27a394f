// The hub's own choice of theme, so that hub and portal always match; else the system's, as it changes.
const system = matchMedia("(prefers-color-scheme: dark)");
const follow = () => {
  const chosen = localStorage.getItem("jupyterhub-bs-theme");
  document.documentElement.dataset.bsTheme = chosen ?? (system.matches ? "dark" : "light");
};
system.addEventListener("change", follow);
follow();
