package pages

import "fmt"

// Page is a page of the made-up site.
type Page struct {
	// Name is that of its pictures.
	Name string
	// Path is where it is.
	Path string
	// User is who looks; empty for who has not logged in.
	User string
	// Missing says that there is no such page, which is what it has to say.
	Missing bool
	// Documented says that docs/page.md shows it, and InDark that it shows it in dark colors, too.
	Documented, InDark bool
}

// UIDOf is the UID of the nth made-up run of a Test, from its first one, which is 0.
func UIDOf(test string, n int) string {
	return fmt.Sprintf("%.4s0000-0000-4000-8000-%012d", sha256Of(test), n)
}

// List are all pages, each at least once. A test holds it against the routes.
func List() []Page {
	return []Page{
		{Name: "login", Path: "/login"},
		{Name: "login-ended", Path: "/login?why=ended&next=%2Fruns%2F1"},
		{Name: "runs", Path: "/", User: Ada, Documented: true, InDark: true},
		{Name: "runs-failed", Path: "/?namespace=shop&state=Failed&series=checkout", User: Ada},
		{Name: "runs-none", Path: "/?label=branch%3Dnone", User: Ada},
		{Name: "runs-empty", Path: "/", User: Eve},
		{Name: "run", Path: "/runs/" + UIDOf("checkout", 59), User: Ada, Documented: true},
		{Name: "run-running", Path: "/runs/" + Running, User: Ada},
		{Name: "run-waiting", Path: "/runs/" + Waiting, User: Ada},
		{Name: "run-retried", Path: "/runs/" + Retried + "?attempt=1", User: Ada},
		{Name: "run-holed", Path: "/runs/" + Holed, User: Ada},
		{Name: "run-by-name", Path: "/namespaces/shop/runs/odd-holed", User: Ada},
		{Name: "run-hidden", Path: "/runs/" + Waiting, User: Grace, Missing: true},
		{Name: "compare", Path: "/runs/" + UIDOf("checkout", 59) + "/compare", User: Ada},
		{Name: "compare-none", Path: "/runs/" + Retried + "/compare", User: Ada},
		{Name: "output", Path: "/runs/" + Long + "/output?attempt=1&case=2", User: Ada, Documented: true},
		{Name: "output-search", Path: "/runs/" + UIDOf("checkout", 59) + "/output?attempt=1&q=ok", User: Ada},
		{Name: "output-holed", Path: "/runs/" + Holed + "/output", User: Ada},
		{Name: "output-none", Path: "/runs/" + Waiting + "/output", User: Ada},
		{Name: "tests", Path: "/tests", User: Ada},
		{Name: "tests-empty", Path: "/tests", User: Eve},
		{Name: "test", Path: "/namespaces/shop/series/checkout", User: Ada, Documented: true},
		{Name: "test-of-another", Path: "/namespaces/shop/series/search", User: Grace},
		{Name: "test-never-ran", Path: "/namespaces/shop/series/" + NeverRan, User: Ada},
		{Name: "case", Path: "/namespaces/shop/series/checkout/case?suite=t%2Fdiscount.t&name=two+coupons+add+up", User: Ada, Documented: true},
		{Name: "flaky", Path: "/flaky", User: Ada, Documented: true},
		{Name: "flaky-empty", Path: "/flaky", User: Eve},
		{Name: "queues", Path: "/queues", User: Ada, Documented: true},
		{Name: "queues-own", Path: "/queues", User: Grace},
		{Name: "queues-empty", Path: "/queues", User: Eve},
		{Name: "queue", Path: "/queues/default", User: Ada},
		{Name: "queue-paused", Path: "/queues/nightly", User: Ada},
		{Name: "queue-missing", Path: "/queues/no-such-queue", User: Ada, Missing: true},
		{Name: "missing", Path: "/nothing-is-here", User: Ada, Missing: true},
	}
}
