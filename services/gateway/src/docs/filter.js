const input = document.getElementById("filter");
const count = document.getElementById("count");
const items = [...document.querySelectorAll(".operation")];
function apply() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const item of items) {
    const text = item.firstElementChild.textContent.toLowerCase();
    item.hidden = !words.every((word) => text.includes(word));
    if (!item.hidden) shown += 1;
  }
  count.textContent = shown + " of " + items.length;
}
function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target) target.open = true;
}
input.addEventListener("input", apply);
window.addEventListener("hashchange", reveal);
apply();
reveal();
