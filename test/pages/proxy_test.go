package pages

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/internal/archive"
)

// throughProxy asks as a proxy does that passes on a token; with are further headers, name and value in turn.
func (w *world) throughProxy(method, path, token string, with ...string) shown {
	w.Helper()
	request, err := http.NewRequestWithContext(w.Context(), method, w.site.Server.URL+path, http.NoBody)
	if err != nil {
		w.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(with); i += 2 {
		request.Header.Set(with[i], with[i+1])
	}
	client := *w.site.Server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(request)
	if err != nil {
		w.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.Fatal(err)
	}
	if len(response.Cookies()) > 0 {
		w.Errorf("%s sets %v: it needs no session", path, response.Cookies())
	}
	return shown{response.StatusCode, response.Header.Get("Location"), string(text)}
}

func TestWhoComesThroughAProxyWithATokenNeedsNoSession(t *testing.T) {
	w := newWorld(t)
	ours := archive.Run{UID: "00000000-0000-4000-8000-000000000001", Namespace: "shop", Name: "ours", Series: "ours", Phase: "Pending", ResourceVersion: "1"}
	theirs := archive.Run{UID: "00000000-0000-4000-8000-000000000002", Namespace: "payments", Name: "theirs", Series: "theirs", Phase: "Pending", ResourceVersion: "2"}
	if err := w.site.Keep(t.Context(), archive.RunState{Run: ours, Object: ObjectOf(ours)}, archive.RunState{Run: theirs, Object: ObjectOf(theirs)}); err != nil {
		t.Fatal(err)
	}
	for name, one := range map[string]struct {
		method, path, token string
		with                []string
		status              int
		want                string
	}{
		"the list":                     {http.MethodGet, "/", w.tokens[Grace], nil, 200, ">ours<"},
		"who they are":                 {http.MethodGet, "/", w.tokens[Grace], nil, 200, "system:serviceaccount:people:grace"},
		"that there is no login":       {http.MethodGet, "/login?next=/flaky", w.tokens[Grace], nil, 303, ""},
		"that a logout is the proxy's": {http.MethodPost, "/logout", w.tokens[Grace], nil, 400, "log out there"},
		"that a token is bad":          {http.MethodGet, "/", "guessed", nil, 401, "does not accept the token that came with this request"},
		"a bad token on the way in":    {http.MethodGet, "/login", "guessed", nil, 401, "does not accept the token that came with this request"},
		"a post of another site":       {http.MethodPost, "/runs/" + ours.UID + "/cancel", w.tokens[Ada], []string{"Sec-Fetch-Site", "cross-site"}, 403, "cross-origin"},
		"a post of a sibling":          {http.MethodPost, "/runs/" + ours.UID + "/cancel", w.tokens[Ada], []string{"Sec-Fetch-Site", "same-site"}, 403, "cross-origin"},
		"a post of an old browser":     {http.MethodPost, "/runs/" + ours.UID + "/cancel", w.tokens[Ada], []string{"Origin", "https://evil.example"}, 403, "cross-origin"},
		"a name in a header":           {http.MethodGet, "/", w.tokens[Eve], []string{"X-Forwarded-User", "system:admin", "Impersonate-User", "system:admin"}, 200, "system:serviceaccount:people:eve"},
	} {
		t.Run(name, func(t *testing.T) {
			got := (&world{t, w.site, w.tokens}).throughProxy(one.method, one.path, one.token, one.with...)
			if got.status != one.status || !strings.Contains(got.text, one.want) || strings.Contains(got.text, ">theirs<") {
				t.Errorf("it is %d %s: %s", got.status, got.path, got.text)
			}
			if strings.Contains(got.text, "<button>Log out</button>") {
				t.Error("it offers to log out")
			}
		})
	}
}

// The proxy knows who is there now; a session of ours may be of somebody who was there before.
func TestATokenThatComesAlongCountsMoreThanASession(t *testing.T) {
	w := newWorld(t)
	cookie := ""
	client := w.logIn(Ada).client
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.site.Server.URL+"/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range client.Jar.Cookies(request.URL) {
		cookie += one.Name + "=" + one.Value + "; "
	}
	got := w.throughProxy(http.MethodGet, "/", w.tokens[Eve], "Cookie", cookie)
	if !strings.Contains(got.text, "system:serviceaccount:people:eve") || strings.Contains(got.text, "people:ada") {
		t.Errorf("it is %d: %s", got.status, got.text)
	}
}
