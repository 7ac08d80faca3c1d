const SAID = {
  wrong: 'This is no operator\u2019s token.',
  wait: 'Too many wrong tokens came lately. Try again in a minute.',
};
const said = SAID[location.search.slice(1)];
const line = document.getElementById('refused');
if (said) {
  line.textContent = said;
  line.hidden = false;
}
