// Redoc shows its maker's logo from its maker's servers, and none of its options turns that off. Here nothing is asked of anybody else:
// a picture from elsewhere becomes an empty one, which Redoc then takes away by itself.

const { setAttribute } = Element.prototype;

HTMLImageElement.prototype.setAttribute = function setOwn(name, value) {
  const elsewhere = name === "src" && new URL(value, location).origin !== location.origin;
  setAttribute.call(this, name, elsewhere ? "data:," : value);
};

Object.defineProperty(HTMLImageElement.prototype, "src", {
  get() { return this.getAttribute("src") ?? ""; },
  set(value) { this.setAttribute("src", value); },
});
