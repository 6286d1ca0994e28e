// What reaches beyond the window and does not lie in a container that scrolls; and which
// containers hold more than they show.
() => {
  const scrolls = e => /auto|scroll/.test(getComputedStyle(e).overflowX);
  const inside = e => { while (e && !scrolls(e)) e = e.parentElement; return e; };
  const name = e => `${e.tagName}.${e.className} ${e.innerText?.slice(0, 40) ?? ''}`;
  const all = [...document.body.querySelectorAll('*')];
  return {
    document: document.documentElement.scrollWidth, window: innerWidth,
    beyond: all.filter(e => e.checkVisibility() && !e.closest('.away, .skip')
        && e.getBoundingClientRect().right > innerWidth + 1 && !inside(e)).map(name),
    scrolling: all.filter(e => scrolls(e) && e.scrollWidth > e.clientWidth + 1
        && e.querySelector('table')).map(e => ({
      what: name(e), keyboard: e.tabIndex === 0, named: Boolean(e.role && e.ariaLabel)
    })),
    tables: [...document.querySelectorAll('table')].filter(e => !inside(e)).map(name),
    small: [...new Set(all.filter(e => e.checkVisibility() && !e.closest('.away')
        && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())
        && parseFloat(getComputedStyle(e).fontSize) < 11).map(name))],
  };
}
