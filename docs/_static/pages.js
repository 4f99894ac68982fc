// Tables and pictures that are wider than the screen say that they scroll.
const mark = () => {
  for (const wrapper of document.querySelectorAll(".table-wrapper, .picture"))
    wrapper.classList.toggle("scrolls", wrapper.scrollWidth > wrapper.clientWidth + 1);
};
addEventListener("load", mark);
addEventListener("resize", mark);
