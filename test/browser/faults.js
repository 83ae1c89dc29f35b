// Says what is wrong with how a page looks, as a list of sentences. See faults.go.
(() => {
	const faults = [];
	const root = document.documentElement;
	const name = (element) => {
		const classes = typeof element.className === 'string' && element.className.trim() ? '.' + element.className.trim().split(/\s+/).join('.') : '';
		const text = (element.textContent || '').trim().replace(/\s+/g, ' ').slice(0, 60);
		return `<${element.localName}${element.id ? '#' + element.id : ''}${classes}>${text ? ` "${text}"` : ''}`;
	};
	const shown = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && !element.closest('.sr, .skip');
	const scrolls = (value) => value === 'auto' || value === 'scroll';
	const clips = (value) => value === 'hidden' || value === 'clip';

	if (root.scrollWidth > root.clientWidth) {
		const wide = [...document.body.querySelectorAll('*')].filter((element) => {
			if (!shown(element) || element.getBoundingClientRect().right <= root.clientWidth + 1) return false;
			for (let up = element.parentElement; up; up = up.parentElement) if (getComputedStyle(up).overflowX !== 'visible' && up !== document.body && up !== root) return false;
			return true;
		});
		faults.push(`the page is ${root.scrollWidth} pixels wide, in a window of ${root.clientWidth}: ${wide.slice(0, 4).map(name).join(', ')}`);
	}

	const main = document.querySelector('main');
	if (!main || !main.innerText.trim()) faults.push('its main part is empty');
	const titles = document.querySelectorAll('h1');
	if (titles.length !== 1) faults.push(`it has ${titles.length} titles (h1), not 1`);
	if (!document.title.trim()) faults.push('it has no title');
	const ids = new Map();
	for (const element of document.querySelectorAll('[id]')) ids.set(element.id, (ids.get(element.id) || 0) + 1);
	for (const [id, times] of ids) if (times > 1) faults.push(`${times} elements have the id ${id}`);

	// Text is cut when it reaches beyond an element that hides what is outside of it. An ellipsis says that there is more.
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	const range = document.createRange();
	const cut = new Set();
	for (let text = walker.nextNode(); text; text = walker.nextNode()) {
		const parent = text.parentElement;
		if (!text.data.trim() || !shown(parent) || parent.closest('script, style, template, option, textarea, progress')) continue;
		range.selectNodeContents(text);
		const boxes = [...range.getClientRects()].filter((box) => box.width > 0 && box.height > 0);
		if (!boxes.length) continue;
		for (let up = parent; up && up !== root; up = up.parentElement) {
			const style = getComputedStyle(up), outer = up.getBoundingClientRect();
			if (scrolls(style.overflowX) || scrolls(style.overflowY)) break;
			const svg = up.localName === 'svg';
			const hides = svg ? clips(style.overflow) : clips(style.overflowX) || clips(style.overflowY);
			if (!hides) { if (style.position === 'fixed') break; continue; }
			const dots = style.textOverflow === 'ellipsis' && style.whiteSpace === 'nowrap', clamped = style.webkitLineClamp !== 'none';
			const beside = boxes.some((box) => box.right > outer.right + 1.5 || box.left < outer.left - 1.5);
			const below = boxes.some((box) => box.bottom > outer.bottom + 3 || box.top < outer.top - 3);
			if ((beside && !dots && !clamped) || (below && !clamped)) cut.add(`text is cut: ${name(parent)} in ${name(up).replace(/ ".*/, '')}`);
		}
	}
	faults.push(...[...cut].slice(0, 8));

	// A control that shows less than its own text.
	for (const control of document.querySelectorAll('button, .button, summary')) {
		if (!shown(control) || getComputedStyle(control).textOverflow === 'ellipsis') continue;
		if (control.scrollWidth > control.clientWidth + 1) faults.push(`a control is too narrow for its text: ${name(control)}`);
	}

	// What is to be clicked or touched has 24 pixels, or that much room around it: see axe-core's target-size. Nothing lies on something else.
	const targets = [...document.querySelectorAll('main button, main .button, main select, main input:not([type=hidden])')].filter(shown);
	for (let i = 0; i < targets.length; i++) {
		const a = targets[i].getBoundingClientRect();
		for (let j = i + 1; j < targets.length; j++) {
			const b = targets[j].getBoundingClientRect();
			if (targets[i].contains(targets[j])) continue;
			const width = Math.min(a.right, b.right) - Math.max(a.left, b.left), height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
			if (width > 1 && height > 1) faults.push(`one control lies on another: ${name(targets[i])} and ${name(targets[j])}`);
		}
	}
	return faults;
})()
