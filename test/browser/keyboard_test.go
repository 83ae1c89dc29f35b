package browser_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/testrun-dev/testrun/test/browser"
	"github.com/testrun-dev/testrun/test/pages"
)

// focus is what has the focus.
type focus struct {
	Name          string
	Skip, Nothing bool
	// Seen says that it is in the window and marked, Back that it is before what had the focus last.
	Seen, Back bool
}

const focused = `(() => {
	const element = document.activeElement, style = getComputedStyle(element), box = element.getBoundingClientRect(), last = window.lastFocus;
	window.lastFocus = element;
	return {
		Name: '<' + element.localName + '> "' + (element.textContent || element.getAttribute('aria-label') || element.name || '').trim().slice(0, 40) + '"',
		Skip: element.matches('a.skip'), Nothing: element === document.body,
		Seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
		Back: Boolean(last && last !== element && last.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_PRECEDING),
	};
})()`

// press presses keys, and tells what has the focus then.
func press(ctx context.Context, t *testing.T, keys string) (now focus) {
	t.Helper()
	err := chromedp.Do(ctx, chromedp.KeyEvent(keys))
	if err == nil {
		now, err = chromedp.Run(ctx, chromedp.Evaluate[focus](focused))
	}
	if err != nil {
		t.Fatal(err)
	}
	return now
}

func TestEveryPageCanBeWalkedThroughWithTheTabKey(t *testing.T) {
	const most = 500
	for _, page := range pages.List() {
		t.Run(page.Name, func(t *testing.T) {
			tab := tabOf(t, page.User)
			if err := chromedp.Do(tab, browser.Look(1280, false)); err != nil {
				t.Fatal(err)
			}
			visit(tab, t, page)
			start, err := chromedp.Run(tab, chromedp.Evaluate[bool](`document.activeElement === document.body`))
			if err != nil {
				t.Fatal(err)
			}
			for i := range most {
				now := press(tab, t, kb.Tab)
				switch {
				case now.Nothing && i > 0:
					return
				case i == 0 && start && !now.Skip:
					t.Errorf("the first thing is %s, not the link that skips the navigation", now.Name)
				case !now.Seen:
					t.Errorf("nobody sees that %s has the focus", now.Name)
				case now.Back:
					t.Errorf("%s comes after what follows it on the page", now.Name)
				}
			}
			t.Errorf("the focus does not leave the page within %d presses of Tab", most)
		})
	}
}

func TestTheSkipLinkLeadsToTheMainPart(t *testing.T) {
	tab := tabOf(t, pages.Ada)
	visit(tab, t, pages.Page{Path: "/"})
	press(tab, t, kb.Tab)
	press(tab, t, kb.Enter)
	now := press(tab, t, kb.Tab)
	within, err := chromedp.Run(tab, chromedp.Evaluate[bool](`document.activeElement.closest('main') !== null`))
	if err != nil || !within {
		t.Errorf("the next thing is %s, which is not in the main part: %v", now.Name, err)
	}
}

func TestTheKeysOfTheListOfRunsDoWhatTheySay(t *testing.T) {
	tab := tabOf(t, pages.Ada)
	visit(tab, t, pages.Page{Path: "/?namespace=shop"})
	names, err := chromedp.Run(tab, chromedp.Evaluate[[]string](`[...document.querySelectorAll('td.what > a')].map((link) => link.textContent)`))
	if err != nil || len(names) < 3 {
		t.Fatalf("the list has %d runs: %v", len(names), err)
	}
	for _, step := range []struct{ key, want string }{
		{"j", names[0]}, {"k", names[0]}, {"j", names[1]}, {"j", names[2]}, {"k", names[1]},
	} {
		if now := press(tab, t, step.key); now.Name != fmt.Sprintf("<a> %q", step.want) {
			t.Errorf("after %s, %s has the focus, not %s", step.key, now.Name, step.want)
		}
	}
	if now := press(tab, t, "/"); now.Name[:7] != "<input>" {
		t.Errorf("after /, %s has the focus, not the filter", now.Name)
	}
}

func TestEnterOpensTheRunThatIsChosen(t *testing.T) {
	tab := tabOf(t, pages.Ada)
	visit(tab, t, pages.Page{Path: "/?namespace=shop"})
	press(tab, t, "j")
	if _, err := chromedp.RunResponse(tab, chromedp.KeyEvent(kb.Enter)); err != nil {
		t.Fatal(err)
	}
	if path, err := chromedp.Run(tab, chromedp.Evaluate[string](`location.pathname`)); err != nil || path == "/" {
		t.Errorf("after j and Enter the page is %s: %v", path, err)
	}
}

func TestKeysSelectRunsAndLeadToWhatIsDoneWithThem(t *testing.T) {
	tab := tabOf(t, pages.Ada)
	visit(tab, t, pages.Page{Path: "/?namespace=shop"})
	const bar = `document.querySelector('#several').hidden ? 'hidden' : document.querySelector('#several .selected').textContent`
	for _, step := range []struct{ keys, bar, focus string }{
		{"x", "hidden", ""}, // nothing is chosen yet
		{"jx", "1 selected", ""},
		{"jx", "2 selected", ""},
		{"x", "1 selected", ""},
		{"x", "2 selected", ""},
		{"r", "2 selected", `<button> "Rerun"`},
	} {
		now := press(tab, t, step.keys)
		if said, err := chromedp.Run(tab, chromedp.Evaluate[string](bar)); err != nil || said != step.bar {
			t.Errorf("after %s the bar is %q, not %q: %v", step.keys, said, step.bar, err)
		}
		if step.focus != "" && now.Name != step.focus {
			t.Errorf("after %s, %s has the focus, not %s", step.keys, now.Name, step.focus)
		}
	}
}

func TestTheKeyFLeadsToWhatFailed(t *testing.T) {
	tab := tabOf(t, pages.Ada)
	visit(tab, t, pages.Page{Path: "/?namespace=shop"})
	const state = `document.activeElement.closest('tr')?.querySelector('.state')?.textContent.trim() ?? 'nothing'`
	for range 2 {
		press(tab, t, "f")
		if said, err := chromedp.Run(tab, chromedp.Evaluate[string](state)); err != nil || !slices.Contains([]string{"Failed", "Error", "Timed out"}, said) {
			t.Errorf("f leads to a row that says %s: %v", said, err)
		}
	}
	visit(tab, t, pages.Page{Path: "/runs/" + pages.UIDOf("checkout", 59)})
	press(tab, t, "f")
	if within, err := chromedp.Run(tab, chromedp.Evaluate[bool](`document.activeElement.closest('#failures') !== null`)); err != nil || !within {
		t.Errorf("f does not lead to the failures of a run: %v", err)
	}
}

func TestTheQuestionMarkTellsTheKeys(t *testing.T) {
	tab := tabOf(t, pages.Ada)
	visit(tab, t, pages.Page{Path: "/"})
	const told = `document.querySelector('dialog[open]')?.innerText ?? ''`
	press(tab, t, "?")
	text, err := chromedp.Run(tab, chromedp.Evaluate[string](told))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"j", "k", "Enter", "x", "f", "r", "/", "?"} {
		if !slices.Contains(strings.Fields(text), key) {
			t.Errorf("the dialog does not tell of the key %s: %q", key, text)
		}
	}
	press(tab, t, kb.Escape)
	if text, err := chromedp.Run(tab, chromedp.Evaluate[string](told)); err != nil || text != "" {
		t.Errorf("Escape does not close the dialog: %v", err)
	}
}
