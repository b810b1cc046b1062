// A figure at the window's size, with its files: they lie in the folder "figures" beside the page.
(() => {
  const dialog = document.getElementById("large");

  function enlarge(figure) {
    const { name } = figure.dataset;
    const picture = figure.querySelector("picture").cloneNode(true);
    dialog.querySelector(".picture").replaceChildren(picture);
    dialog.querySelector(".caption").textContent = figure.querySelector("figcaption").textContent;
    dialog.querySelectorAll(".files a").forEach((link) => {
      link.href = `figures/${name}.${link.textContent.toLowerCase()}`;
    });
    dialog.setAttribute("aria-label", picture.querySelector("img").alt);
    dialog.showModal();
  }

  document.querySelectorAll(".enlarge").forEach((button) => {
    button.addEventListener("click", () => enlarge(button.closest("figure")));
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) { dialog.close(); } // on the ground around it
  });
})();
