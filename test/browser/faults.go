package browser

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
)

var (
	//go:embed faults.js
	faults string
	//go:embed contrast.js
	contrast string
)

// settled waits until the page is drawn as it is now.
const settled = `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`

// Faults says what is wrong with how the page looks, and what has no name for who cannot see it.
func Faults(ctx context.Context) ([]string, error) {
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](settled, chromedp.EvalAwaitPromise)); err != nil {
		return nil, err
	}
	found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](faults))
	if err != nil {
		return nil, err
	}
	dim, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](contrast))
	if err != nil {
		return nil, err
	}
	nameless, err := withoutName(ctx)
	return append(append(found, dim...), nameless...), err
}

// named are the roles of what needs a name.
var named = map[string]bool{
	"button": true, "link": true, "textbox": true, "searchbox": true, "combobox": true, "listbox": true, "checkbox": true, "radio": true, "switch": true,
	"slider": true, "spinbutton": true, "tab": true, "menuitem": true, "image": true, "img": true, "progressbar": true, "meter": true, "table": true,
	"dialog": true, "heading": true, "navigation": true, "search": true,
}

// withoutName are the nodes of the browser's accessibility tree that a reader of screens could only call by their role.
func withoutName(ctx context.Context) (found []string, err error) {
	tree, err := chromedp.Call(ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		return nil, err
	}
	for _, node := range tree.Nodes {
		role := textOf(node.Role)
		if !node.Ignored && named[role] && strings.TrimSpace(textOf(node.Name)) == "" {
			found = append(found, fmt.Sprintf("a %s has no name (node %d)", role, node.BackendDOMNodeID))
		}
	}
	return found, nil
}

func textOf(value *accessibility.Value) string {
	var text string
	if value != nil {
		_ = json.Unmarshal(value.Value, &text) // what is no text has none
	}
	return text
}

// Axe is the script of axe-core; empty where it is not installed.
func Axe(path string) (string, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the caller names it
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(text), err
}

// violations runs axe-core, and names what it finds.
const violations = `axe.run(document, Object.assign(%s, { resultTypes: ['violations'] })).then((results) => results.violations.map((violation) =>
	violation.id + ': ' + violation.help + ': ' + violation.nodes.slice(0, 3).map((node) => node.html.slice(0, 160) + ' (' +
		node.any.concat(node.all, node.none).map((check) => check.message).join('; ') + ')').join(' | ')))`

// The rules of axe-core: those of WCAG 2.2 AA and of good practice, and those of them that look at colors.
const (
	allRules   = `{ runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22a', 'wcag22aa', 'best-practice'] } }`
	colorRules = `{ runOnly: { type: 'rule', values: ['color-contrast', 'link-in-text-block'] } }`
)

// Violations are those of the rules of WCAG 2.2 AA, and of good practice, that axe-core finds on the page; of the rules about colors alone if
// the rest of the page has been looked at already.
func Violations(ctx context.Context, axe string, colorsAlone bool) ([]string, error) {
	loaded, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`'axe' in window`))
	if err == nil && !loaded {
		_, err = chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void](axe))
	}
	if err != nil {
		return nil, err
	}
	rules := allRules
	if colorsAlone {
		rules = colorRules
	}
	return chromedp.Run(ctx, chromedp.Evaluate[[]string](fmt.Sprintf(violations, rules), chromedp.EvalAwaitPromise))
}
