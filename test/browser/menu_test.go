package browser_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/testrun-dev/testrun/test/browser"
	"github.com/testrun-dev/testrun/test/pages"
)

func TestMenusOpenWithinTheWindow(t *testing.T) {
	tab := tabOf(t, pages.Ada)
	const place = `(() => {
		const box = document.querySelector('details.menu[open] .panel').getBoundingClientRect(), floats = document.querySelector('.floating details[open]');
		const out = box.left < 0 || box.right > document.documentElement.clientWidth || box.width < 240 || floats && (box.top < 0 || box.bottom > innerHeight);
		return out ? JSON.stringify(box) : '';
	})()`
	for name, menu := range map[string]struct{ path, keys, within string }{
		"of a run":           {"/runs/" + pages.UIDOf("checkout", 59), "", ".head"},
		"of a queue":         {"/queues", "", ".queue"},
		"of runs in a list":  {"/?namespace=shop", "jx", ".floating"},
		"of runs of a Test":  {"/namespaces/shop/series/checkout", "jx", ".floating"},
		"of a queue's page":  {"/queues/nightly", "", ".head"},
		"of a run that runs": {"/runs/" + pages.Running, "", ".head"},
	} {
		for _, width := range []int64{390, 721, 1280} {
			t.Run(fmt.Sprintf("%s/%d", name, width), func(t *testing.T) {
				must(t, chromedp.Do(tab, browser.Look(width, false)))
				visit(tab, t, pages.Page{Path: menu.path})
				if menu.keys != "" {
					press(tab, t, menu.keys)
				}
				const open = `document.querySelector('%s details.menu').open = true`
				must(t, chromedp.Do(tab, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(open, menu.within))))
				if out, err := chromedp.Run(tab, chromedp.Evaluate[string](place)); err != nil || out != "" {
					t.Errorf("its place is %s: %v", out, err)
				}
			})
		}
	}
}
