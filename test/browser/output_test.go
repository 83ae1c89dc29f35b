package browser_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/testrun-dev/testrun/test/pages"
)

func TestALongOutputShowsItsEndToWhoScrollsThereAtOnce(t *testing.T) {
	tab := tabOf(t, pages.Ada)
	const hurried = `addEventListener('DOMContentLoaded', () => { const output = document.querySelector('#output'); if (output) output.scrollTop = output.scrollHeight; })`
	if _, err := chromedp.Call(tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: hurried}); err != nil {
		t.Fatal(err)
	}
	visit(tab, t, pages.Page{Path: "/runs/" + pages.Long + "/output?attempt=1&line=1"})
	ended := fmt.Sprintf(`new Promise((done) => {
		let looks = 0;
		const look = () => {
			const last = document.getElementById('L%d'), output = document.querySelector('#output').getBoundingClientRect();
			const shown = last && last.getBoundingClientRect().top < output.bottom;
			if (shown || ++looks > 600) done(shown ? 'shown' : 'the lines are ' + [...document.querySelectorAll('.line')].map((line) => line.id).join(' '));
			else requestAnimationFrame(look);
		};
		look();
	})`, pages.LongLines)
	if shown, err := chromedp.Run(tab, chromedp.Evaluate[string](ended, chromedp.EvalAwaitPromise)); err != nil || shown != "shown" {
		t.Errorf("the last line is not shown: %v, %.200s", err, shown)
	}
}
