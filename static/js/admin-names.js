/* The admin's own scripts draw icons that have a name and no role to go with it. */
addEventListener("load", () => {
  for (const icon of document.querySelectorAll("span[aria-label]:not([role])")) icon.setAttribute("role", "img");
});
