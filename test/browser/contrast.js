// Says which text has too little contrast (WCAG 2.2 AA: 4.5 to 1, or 3 to 1 for large text). It does what axe-core does, where there is none.
(() => {
	const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
	const rgba = (color) => {
		canvas.clearRect(0, 0, 1, 1);
		canvas.fillStyle = color;
		canvas.fillRect(0, 0, 1, 1);
		const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
		return [r, g, b, a / 255];
	};
	const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
	const light = ([r, g, b]) => {
		const [x, y, z] = [r, g, b].map((part) => { part /= 255; return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4; });
		return 0.2126 * x + 0.7152 * y + 0.0722 * z;
	};
	const behind = (element) => {
		const layers = [];
		for (let up = element; up; up = up.parentElement) layers.push(rgba(getComputedStyle(up).backgroundColor));
		return layers.reduceRight((below, top) => over(top, below), rgba('Canvas'));
	};
	const faults = new Set();
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let text = walker.nextNode(); text; text = walker.nextNode()) {
		const element = text.parentElement;
		if (!text.data.trim() || !element.checkVisibility({ visibilityProperty: true }) || element.closest('.sr, .skip, option, script, style, template, svg, :disabled')) continue;
		const style = getComputedStyle(element), back = behind(element), front = over(rgba(style.color), back);
		const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
		const ratio = (a + 0.05) / (b + 0.05), size = parseFloat(style.fontSize);
		const large = size >= 24 || (size >= 18.66 && parseInt(style.fontWeight, 10) >= 700);
		if (ratio < (large ? 3 : 4.5)) faults.add(`${text.data.trim().slice(0, 40)} has a contrast of ${ratio.toFixed(2)} to 1 (${style.color} on ${back.map(Math.round).slice(0, 3)})`);
	}
	return [...faults].slice(0, 8);
})()
