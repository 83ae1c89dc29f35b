// Keeps pages live. Every page works without it.
'use strict';
(() => {
	const $ = (selector, root = document) => root.querySelector(selector);
	const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

	// Times: "2 min ago" in words, and the exact time in the reader's zone as the title. words.go says the same.
	const unit = (ms) => {
		const s = Math.floor(ms / 1000);
		return s < 60 ? `${s} s` : s < 3600 ? `${Math.floor(s / 60)} min` : s < 86400 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} d`;
	};
	const both = (ms) => {
		const s = Math.max(0, Math.floor(ms / 1000)), two = (n) => String(n).padStart(2, '0');
		return s < 60 ? `${s} s` : s < 3600 ? `${Math.floor(s / 60)} min ${two(s % 60)} s` : `${Math.floor(s / 3600)} h ${two(Math.floor(s / 60) % 60)} min`;
	};
	const tick = () => {
		for (const time of $$('time[datetime]')) {
			const at = new Date(time.dateTime), passed = Date.now() - at;
			const text = time.className === 'since' ? both(passed) : passed < 5000 ? 'just now' : unit(passed) + ' ago';
			if (time.textContent !== text) time.textContent = text;
			if (!time.dataset.zoned) { time.title = at.toLocaleString(); time.dataset.zoned = '1'; }
		}
	};
	// The parts of the page of a run, as the server wrote them.
	const written = new Map($$('[data-part]').map((part) => [part.id, part.outerHTML]));
	setInterval(tick, 1000);
	tick();

	// The title counts what is in progress.
	const title = document.title;
	const count = () => {
		const n = $$('tr[data-phase=InProgress]').length;
		document.title = n ? `(${n}) ${title}` : title;
	};
	count();

	// Rows that change. Whoever is about to click a row finds it where it was: only what is new goes to the top.
	const rowOf = (html) => {
		const template = document.createElement('template');
		template.innerHTML = html;
		return template.content.firstElementChild;
	};
	const maxRows = 100;
	const putRow = (run) => {
		const rows = $('#rows'), old = document.getElementById('run-' + run.uid), row = rowOf(run.row);
		if (old) {
			const picked = $('input', old)?.checked, focus = old.contains(document.activeElement) ? document.activeElement : null;
			const place = focus && [...old.querySelectorAll('a,input,button')].indexOf(focus);
			row.classList.toggle('here', old.classList.contains('here'));
			if (picked) $('input', row).checked = true;
			old.replaceWith(row);
			if (focus) row.querySelectorAll('a,input,button')[place]?.focus();
		} else if (run.new) {
			row.classList.add('new');
			rows.prepend(row);
			while (rows.rows.length > maxRows) rows.rows[rows.rows.length - 1].remove();
		}
		tick();
		count();
	};

	// One stream of events for a tab, closed while nobody sees it. The browser comes back with the id of the last event.
	const table = $('[data-live]');
	if (table) {
		let source, last = '';
		const open = () => {
			if (source || document.hidden) return;
			const url = new URL(table.dataset.live, location);
			if (last) url.searchParams.set('after', last);
			source = new EventSource(url);
			source.addEventListener('run', (event) => {
				last = event.lastEventId;
				document.dispatchEvent(new CustomEvent('run', { detail: JSON.parse(event.data) }));
			});
			source.addEventListener('reset', (event) => {
				if (last) document.dispatchEvent(new CustomEvent('stale'));
				last = event.lastEventId;
			});
			source.onerror = () => { if (source.readyState === EventSource.CLOSED) { source = null; setTimeout(open, 5000); } };
		};
		const close = () => { source?.close(); source = null; };
		document.addEventListener('visibilitychange', () => document.hidden ? close() : open());
		addEventListener('pagehide', close);
		addEventListener('pageshow', open);
		open();
	}
	document.addEventListener('run', (event) => { if ($('#rows')) putRow(event.detail); });
	document.addEventListener('stale', () => location.reload());

	// Text to copy.
	for (const text of $$('pre.copy')) {
		const button = document.createElement('button'), around = document.createElement('div');
		button.type = 'button';
		button.className = 'copy';
		button.textContent = 'Copy';
		button.onclick = async () => { await navigator.clipboard.writeText(text.textContent); button.textContent = 'Copied'; };
		around.className = 'copied';
		text.replaceWith(around);
		around.append(text, button);
	}

	// What is done with selected runs: the bar floats while there are any, and says how many.
	const several = $('#several');
	const select = () => {
		if (!several) return;
		const n = $$('input[name=uid]:checked').length;
		several.hidden = !n;
		$('.selected', several).textContent = `${n} selected`;
	};
	several?.classList.add('floating');
	select();
	document.addEventListener('change', select);
	document.addEventListener('run', select);
	// A page that comes back from the browser's memory asks for something new.
	addEventListener('pageshow', (event) => {
		if (event.persisted) for (const key of $$('input[name=key]')) key.value = crypto.randomUUID();
		select();
	});

	// Menus close when something else is wanted.
	const closeMenus = (but) => { for (const menu of $$('details.menu[open], details.who[open]')) if (!menu.contains(but)) menu.open = false; };
	document.addEventListener('click', (event) => closeMenus(event.target));
	document.addEventListener('keydown', (event) => {
		const menu = event.key === 'Escape' && event.target.closest?.('details.menu[open], details.who[open]');
		if (menu) { menu.open = false; $('summary', menu).focus(); }
	});

	// Keys.
	const keys = {
		j: ['Go down the list', () => go(1)], k: ['Go up the list', () => go(-1)], Enter: ['Open what is chosen'],
		x: ['Select a run', () => here() && $('input[name=uid]', here())?.click()],
		f: ['Go to the failures', () => { const first = $('#failures a, #failures summary'); if (first) first.focus(); else go(1, true); }],
		r: ['Rerun', () => {
			const one = $('button[data-action=rerun]'), many = $('#several button[value=rerun]');
			if (one) return one.click();
			if (!many) return;
			if (several.hidden) keys.x[1]();
			if (!several.hidden) many.focus();
		}],
		'/': ['Search', () => $('.filters input, [type=search]')?.focus()], '?': ['Show these keys', () => help()],
	};
	const here = () => $('tbody tr.here');
	const go = (step, failed) => {
		const all = $$('tbody tr').filter((row) => row.checkVisibility() && $('a', row)), at = all.indexOf(here());
		const fits = (row) => !failed || $('.state.failed, .state.error, .state.timedout', row);
		const next = failed ? [...all.slice(at + 1), ...all.slice(0, at + 1)].find(fits) : all[Math.min(Math.max(at + step, 0), all.length - 1)];
		if (!next) return;
		here()?.classList.remove('here');
		next.classList.add('here');
		$('td.what a, a', next).focus();
	};
	const help = () => {
		let dialog = $('#keys');
		if (!dialog) {
			dialog = document.createElement('dialog');
			dialog.id = 'keys';
			dialog.setAttribute('aria-labelledby', 'keys-title');
			dialog.innerHTML = '<h2 id="keys-title">Keys</h2><dl></dl><form method="dialog"><button>Close</button></form>';
			for (const [key, [does]] of Object.entries(keys)) {
				const dt = document.createElement('dt'), dd = document.createElement('dd'), kbd = document.createElement('kbd');
				kbd.textContent = key;
				dd.textContent = does;
				dt.append(kbd);
				$('dl', dialog).append(dt, dd);
			}
			document.body.append(dialog);
		}
		dialog.showModal();
	};
	document.addEventListener('keydown', (event) => {
		if (event.ctrlKey || event.metaKey || event.altKey || $('dialog[open]')) return;
		if (event.target.matches('textarea, select, input:not([type=checkbox])')) return;
		const does = keys[event.key]?.[1];
		if (does) { event.preventDefault(); does(); }
	});

	// The page of a run: when the run has changed, the parts that read otherwise now are replaced. Focus and what is folded out stay.
	const run = $('[data-run]');
	if (run) {
		const ms = 300;
		let busy = false, again = false;
		const put = (part) => {
			const old = document.getElementById(part.id), html = part.outerHTML;
			if (written.get(part.id) === html) return;
			written.set(part.id, html);
			if (!old) { run.append(part); return; }
			const controls = 'a,button,input,summary', at = old.contains(document.activeElement) ? $$(controls, old).indexOf(document.activeElement) : -1;
			const open = $$('details', old).map((details) => details.open);
			const fresh = document.importNode(part, true);
			$$('details', fresh).forEach((details, i) => { details.open = open[i] ?? details.open; });
			old.replaceWith(fresh);
			if (at >= 0) $$(controls, fresh)[at]?.focus();
		};
		const refresh = async () => {
			if (busy) { again = true; return; }
			busy = true;
			try {
				const answer = await fetch(location.href, { headers: { Accept: 'text/html' } });
				if (answer.redirected) { location.reload(); return; }
				if (answer.ok) {
					const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
					$$('[data-part]', page).forEach(put);
					document.title = page.title;
					tick();
				}
			} catch { /* the next event tries again */ }
			setTimeout(() => { busy = false; if (again) { again = false; refresh(); } }, ms);
		};
		document.addEventListener('run', (event) => { if (event.detail.uid === run.dataset.run) refresh(); });
	}

	// An output: a window onto all its lines, which are fetched as one scrolls. New lines come while the test runs.
	const output = $('#output');
	if (output) {
		const step = 500, high = 24, most = 15e6, top = document.createElement('div'), body = document.createElement('div'), chunks = new Map();
		const data = output.dataset, wanted = Number(data.line || 0), first = Number(data.first);
		let total = Number(data.total), growing = 'growing' in data, drawn = '';
		body.append(...output.childNodes);
		output.append(top, body);
		output.classList.add('window');
		$('#pages').hidden = true;
		// Browsers bound how high an element is: beyond that, a pixel stands for more.
		const scale = () => Math.max(1, total * high / most);
		const lineAt = () => Math.min(Math.floor(output.scrollTop * scale() / high) + 1, Math.max(total, 1));
		const fetchChunk = async (n) => {
			const answer = await fetch(`?attempt=${data.attempt}&line=${n * step + 1}&part=lines`);
			if (!answer.ok || answer.redirected) throw new Error('no lines');
			total = Number(answer.headers.get('TestRun-Lines') ?? total);
			growing = answer.headers.has('TestRun-Live');
			return answer.text();
		};
		const load = (n) => {
			if (!chunks.has(n)) {
				if (chunks.size > 40) chunks.delete(chunks.keys().next().value);
				chunks.set(n, fetchChunk(n).then((html) => { chunks.set(n, html); draw(); }, () => { chunks.delete(n); setTimeout(draw, 2000); }));
			}
			return chunks.get(n);
		};
		const draw = (force) => {
			top.style.height = Math.min(total * high, most) + 'px';
			const line = lineAt(), n = Math.floor((line - 1) / step), near = (line - 1) % step < step / 2 ? n - 1 : n + 1;
			const shown = [Math.min(n, near), Math.max(n, near)].filter((m) => m >= 0 && m * step < total);
			const html = shown.map(load), key = shown.join() + html.map((text) => text.length);
			if (html.some((text) => typeof text !== 'string')) return;
			if (key !== drawn || force) {
				body.innerHTML = html.join('');
				document.getElementById('L' + wanted)?.classList.add('is');
				drawn = key;
			}
			// The line at the top of the window stays there.
			body.style.top = output.scrollTop - (output.scrollTop * scale() - shown[0] * step * high) + 'px';
		};
		const toLine = (line) => { output.scrollTop = (line - 1) * high / scale(); };
		let waits = 0;
		output.addEventListener('scroll', () => { cancelAnimationFrame(waits); waits = requestAnimationFrame(() => draw()); });
		const fit = () => { output.style.height = total * high < innerHeight / 2 ? (total + 1) * high + 'px' : ''; };
		fit();
		draw();
		const hash = /^#L(\d+)$/.exec(location.hash), end = /[?&]end=/.test(location.search) || growing && !wanted;
		if (hash || wanted) toLine(Math.max(1, Number(hash?.[1] ?? wanted) - 5));
		else if (end) output.scrollTop = output.scrollHeight;
		else toLine(first);
		setInterval(async () => {
			if (!growing || document.hidden) return;
			const follows = output.scrollTop + output.clientHeight > output.scrollHeight - 3 * high, last = Math.floor(Math.max(0, total - 1) / step);
			try { chunks.set(last, await fetchChunk(last)); } catch { return; }
			fit();
			draw();
			if (follows) output.scrollTop = output.scrollHeight;
		}, 1000);
	}
})();
