package browser_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/browser"
	"github.com/testrun-dev/testrun/test/pages"
)

var (
	pictures = flag.String("pictures", "", "a folder for pictures of every page, as every window shows it")
	docs     = flag.String("docs", "", "the folder of the pictures that the documentation shows")
)

// look is a window.
type look struct {
	width int64
	dark  bool
}

// String is the end of the name of a picture.
func (l look) String() string {
	if l.dark {
		return fmt.Sprintf("%d-dark", l.width)
	}
	return fmt.Sprintf("%d-light", l.width)
}

var looks = []look{{390, false}, {390, true}, {1280, false}, {1280, true}, {1920, false}, {1920, true}}

// tabOf opens a tab of a user.
func tabOf(t *testing.T, user string) context.Context {
	t.Helper()
	tab, stop, err := browser.Another(site.browser)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	if user != "" {
		if err := chromedp.Do(tab, browser.LogIn(site.Server.URL, site.tokens[user])); err != nil {
			t.Fatalf("%s cannot log in: %v", user, err)
		}
	}
	return tab
}

// visit opens a page.
func visit(tab context.Context, t *testing.T, page pages.Page) {
	t.Helper()
	if err := chromedp.Do(tab, chromedp.Navigate(site.Server.URL+page.Path), chromedp.WaitVisible(chromedp.CSS("main"))); err != nil {
		t.Fatalf("%s: %v", page.Path, err)
	}
}

func TestEveryPageShowsAllThatIsOnItInEveryWindow(t *testing.T) {
	tabs := map[string]context.Context{}
	listeners := map[string]*browser.Listener{}
	for _, page := range pages.List() {
		if tabs[page.User] == nil {
			tabs[page.User] = tabOf(t, page.User)
			listener, err := browser.Listen(tabs[page.User], site.Server.URL)
			if err != nil {
				t.Fatal(err)
			}
			listeners[page.User] = listener
		}
		t.Run(page.Name, func(t *testing.T) {
			tab := tabs[page.User]
			visit(tab, t, page)
			for _, look := range looks {
				see(tab, t, page, look)
			}
			for _, complaint := range listeners[page.User].Heard() {
				if !page.Missing || !strings.Contains(complaint, "404") {
					t.Errorf("%s: %s", page.Path, complaint)
				}
			}
		})
	}
}

// see looks at the page that is open.
func see(tab context.Context, t *testing.T, page pages.Page, look look) {
	t.Helper()
	if err := chromedp.Do(tab, browser.Look(look.width, look.dark)); err != nil {
		t.Fatal(err)
	}
	faults, err := browser.Faults(tab)
	if err != nil {
		t.Fatal(err)
	}
	if site.axe != "" && look.width < 1920 {
		violations, err := browser.Violations(tab, site.axe, look.dark)
		if err != nil {
			t.Fatal(err)
		}
		faults = append(faults, violations...)
	}
	for _, fault := range faults {
		t.Errorf("%s in a window like %s: %s", page.Path, look, fault)
	}
	if *pictures != "" {
		picture, err := browser.Shot(tab)
		if err != nil {
			t.Fatal(err)
		}
		keep(t, *pictures, fmt.Sprintf("%s-%s.png", page.Name, look), picture)
	}
	if *docs != "" && page.Documented && look.width == documented && (page.InDark || !look.dark) {
		picture, err := browser.Window(tab)
		if err != nil {
			t.Fatal(err)
		}
		keep(t, *docs, fmt.Sprintf("%s-%s.webp", page.Name, strings.TrimPrefix(look.String(), "1280-")), picture)
	}
}

// documented is the width of the windows that the documentation shows.
const documented = 1280

func keep(t *testing.T, folder, name string, picture []byte) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // for everybody
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name), picture, 0o644); err != nil { //nolint:gosec // for everybody
		t.Fatal(err)
	}
}

// route is a line of page.go that serves a page.
var route = regexp.MustCompile(`mux\.Handle\("GET (/[^"]*)", s\.`)

// notPages are routes that show no page of their own.
var notPages = map[string]bool{"/live": true, "/login/provider": true, "/runs/{uid}/artifact": true, "/runs/{uid}/output/raw": true}

func TestEveryRouteIsAmongThePagesThatAreLookedAt(t *testing.T) {
	text, err := os.ReadFile("../../internal/page/page.go")
	if err != nil {
		t.Fatal(err)
	}
	routes := route.FindAllSubmatch(text, -1)
	if len(routes) == 0 {
		t.Fatal("page.go has no route that this test can read")
	}
	for _, match := range routes {
		if pattern := string(match[1]); !notPages[pattern] && !listed(pattern) {
			t.Errorf("no page of pages.List is at %s", pattern)
		}
	}
}

// listed says whether a page has an address of the pattern.
func listed(pattern string) bool {
	expression := regexp.QuoteMeta(strings.TrimSuffix(pattern, "{$}"))
	expression = regexp.MustCompile(`\\\{\w+(\\\.){3}\\\}`).ReplaceAllString(expression, ".+")
	expression = regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(expression, "[^/]+")
	matches := regexp.MustCompile("^" + expression + "$")
	for _, page := range pages.List() {
		path, _, _ := strings.Cut(page.Path, "?")
		if matches.MatchString(path) {
			return true
		}
	}
	return false
}

func TestTheRunThatTheEmptyListTeachesIsOneThatTheClusterTakes(t *testing.T) {
	tab := tabOf(t, pages.Eve)
	visit(tab, t, pages.Page{Path: "/"})
	command, err := chromedp.Run(tab, chromedp.Evaluate[string](`document.querySelector('pre.copy').textContent`))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(command, "\n")
	run := &v1alpha1.TestRun{}
	if err := yaml.UnmarshalStrict([]byte(strings.TrimSuffix(text, "END")), run); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	run.Namespace = "shop"
	if err := apiserver.Client.Create(t.Context(), run, client.DryRunAll, client.FieldValidation("Strict")); err != nil {
		t.Error(err)
	}
}
