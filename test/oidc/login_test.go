package oidc

import (
	"context"
	"crypto/tls"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/oauth2-proxy/mockoidc"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/testrun-dev/testrun/internal/page"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/kit"
	"github.com/testrun-dev/testrun/test/pages"
)

var provider *Provider

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "oidc")
	if err == nil {
		defer func() { _ = os.RemoveAll(folder) }()
		provider, err = Start()
	}
	if err == nil {
		defer func() { _ = provider.Shutdown() }()
		apiserver.Arguments["authentication-config"], err = provider.Configuration(folder)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return apiserver.Run(m)
}

// open serves made-up runs, and lets people log in through a provider.
func open(t *testing.T, change ...func(*page.Options)) *pages.Site {
	t.Helper()
	through := func(o *page.Options) {
		o.OIDC = page.OIDC{
			Issuer: provider.Issuer(), ClientID: provider.ClientID, ClientSecret: provider.ClientSecret, Scopes: []string{"profile", "groups"}, CA: provider.CA,
		}
	}
	site, err := pages.Start(t.Context(), apiserver.Config, t.TempDir(), append([]func(*page.Options){through}, change...)...)
	must(t, err)
	site.Server.StartTLS()
	t.Cleanup(func() { must(t, site.Close()) })
	must(t, site.Fill(t.Context(), time.Now()))
	return site
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// browser follows where it is sent.
type browser struct {
	*testing.T
	site   *pages.Site
	client *http.Client
	// visited is where it was sent, and stop, if it is set, is the path to which it does not go.
	visited []*url.URL
	stop    string
}

func newBrowser(t *testing.T, site *pages.Site) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	b := &browser{T: t, site: site}
	b.client = &http.Client{
		Jar:       jar,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, //nolint:gosec // the test
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			b.visited = append(b.visited, r.URL)
			if r.URL.Path == b.stop {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
	t.Cleanup(b.client.CloseIdleConnections)
	return b
}

func (b *browser) do(method, path string) (status int, text string) {
	b.Helper()
	b.visited = nil
	request, err := http.NewRequestWithContext(b.Context(), method, b.site.Server.URL+path, http.NoBody)
	must(b.T, err)
	response, err := b.client.Do(request)
	must(b.T, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(b.T, err)
	return response.StatusCode, html.UnescapeString(string(body))
}

func (b *browser) get(path string) (status int, text string) {
	b.Helper()
	return b.do(http.MethodGet, path)
}

const callback = "/login/callback"

// atProvider is where the provider sends somebody to who logs in there: the path with its query. They do not go yet.
func (b *browser) atProvider(who mockoidc.User) *url.URL {
	b.Helper()
	provider.QueueUser(who)
	b.stop = callback
	defer func() { b.stop = "" }()
	b.get("/login/provider?next=/%3Fstate=Failed")
	last := b.visited[len(b.visited)-1]
	if last.Path != callback {
		b.Fatalf("the provider sends to %s", last)
	}
	return last
}

// waitUntilTrusted waits until the API server knows the provider: it asks for the provider's keys in the background.
func waitUntilTrusted(t *testing.T, site *pages.Site) {
	t.Helper()
	within, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var status int
	var text string
	if !kit.WaitUntil(within, func() bool {
		b := newBrowser(t, site)
		status, text = b.get(b.atProvider(grace(nil)).RequestURI())
		return status == http.StatusOK
	}) {
		t.Fatalf("logging in is answered with %d: %s", status, text)
	}
}

// grace may see the runs of shop, by a group of hers.
func grace(wrong func(*mockoidc.IDTokenClaims)) *User {
	return &User{mockoidc.MockUser{Subject: "1", PreferredUsername: "grace", Groups: []string{"testers"}}, wrong}
}

func allowGrace(t *testing.T) {
	t.Helper()
	_, err := pages.AddUsers(t.Context())
	must(t, err)
	must(t, apiserver.Client.Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "testers"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: pages.Grace},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: Prefix + "testers"}},
	}))
}

func TestSomebodyWhomTheProviderKnowsSeesWhatTheyMay(t *testing.T) {
	allowGrace(t)
	site := open(t)
	waitUntilTrusted(t, site)
	b := newBrowser(t, site)
	if _, text := b.get("/"); !strings.Contains(text, "Log in with 127.0.0.1") {
		t.Errorf("the login page does not offer the provider: %s", text)
	}
	status, text := b.get(b.atProvider(grace(nil)).RequestURI())
	if last := b.visited[len(b.visited)-1]; status != http.StatusOK || last.RequestURI() != "/?state=Failed" {
		t.Errorf("they come to %s: %d", last, status)
	}
	if !strings.Contains(text, "oidc:grace") {
		t.Error("the page does not say who they are")
	}
	if _, text := b.get("/"); !strings.Contains(text, "checkout-") || strings.Contains(text, "ledger-") {
		t.Errorf("they see %s", text)
	}

	t.Run("and is sent through the provider without a question when the session is over", func(t *testing.T) {
		b.forget("__Host-testrun")
		provider.QueueUser(grace(nil))
		if status, text := b.get("/?state=Failed"); status != http.StatusOK || !strings.Contains(text, "oidc:grace") {
			t.Errorf("it is %d: %s", status, text)
		}
		for _, at := range b.visited {
			if at.Path == "/login" {
				t.Errorf("it asks: %v", b.visited)
			}
		}
	})
	t.Run("but is asked after a logout", func(t *testing.T) {
		if _, text := b.do(http.MethodPost, "/logout"); !strings.Contains(text, "Log in with 127.0.0.1") {
			t.Errorf("it is %s", text)
		}
		if _, text := b.get("/"); !strings.Contains(text, "Log in with 127.0.0.1") {
			t.Errorf("then it is %s", text)
		}
	})
}

// forget drops a cookie.
func (b *browser) forget(name string) {
	b.Helper()
	address, err := url.Parse(b.site.Server.URL)
	must(b.T, err)
	b.client.Jar.SetCookies(address, []*http.Cookie{{Name: name, Path: "/", Secure: true, MaxAge: -1}})
}

func TestALoginThatIsNotInOrderIsRefusedInASentence(t *testing.T) {
	site := open(t)
	waitUntilTrusted(t, site)
	back := func(b *browser, wrong func(*mockoidc.IDTokenClaims)) string {
		return b.atProvider(grace(wrong)).RequestURI()
	}
	for name, one := range map[string]struct {
		path   func(b *browser) string
		status int
		want   string
	}{
		"another state": {func(b *browser) string {
			return strings.Replace(back(b, nil), "state=", "state=X", 1)
		}, 400, "This login was not begun in this browser"},
		"begun by somebody else": {func(b *browser) string {
			return back(newBrowser(b.T, b.site), nil)
		}, 400, "This login was not begun in this browser"},
		"come back twice": {func(b *browser) string {
			path := back(b, nil)
			b.get(path)
			return path
		}, 400, "This login was not begun in this browser"},
		"a code that was used": {func(b *browser) string {
			first := b.atProvider(grace(nil))
			b.get(first.RequestURI())
			second := b.atProvider(grace(nil))
			return callback + "?" + url.Values{"state": {second.Query().Get("state")}, "code": {first.Query().Get("code")}}.Encode()
		}, 401, "The provider does not accept the code of this login"},
		"the code of another login": {func(b *browser) string {
			theirs := newBrowser(b.T, b.site).atProvider(grace(nil))
			ours := b.atProvider(grace(nil))
			return callback + "?" + url.Values{"state": {ours.Query().Get("state")}, "code": {theirs.Query().Get("code")}}.Encode()
		}, 401, "The provider does not accept the code of this login"},
		"another nonce": {func(b *browser) string {
			return back(b, func(c *mockoidc.IDTokenClaims) { c.Nonce = "another" })
		}, 401, "The provider's token is not for this login"},
		"the token of another client": {func(b *browser) string {
			return back(b, func(c *mockoidc.IDTokenClaims) { c.Audience = jwt.ClaimStrings{"another"} })
		}, 401, "The provider's token is not for this login"},
		"the token of another provider": {func(b *browser) string {
			return back(b, func(c *mockoidc.IDTokenClaims) { c.Issuer = "https://another.example" })
		}, 401, "The provider's token is not for this login"},
		"a token that has expired": {func(b *browser) string {
			return back(b, func(c *mockoidc.IDTokenClaims) { c.ExpiresAt = jwt.NewNumericDate(time.Now().Add(-time.Minute)) })
		}, 401, "This token has expired"},
		"a token that the cluster does not take": {func(b *browser) string {
			return b.atProvider(&User{MockUser: mockoidc.MockUser{Subject: "2"}}).RequestURI()
		}, 401, "The cluster does not accept the provider's token"},
		"the provider says no": {func(b *browser) string {
			state := b.atProvider(grace(nil)).Query().Get("state")
			return callback + "?" + url.Values{"state": {state}, "error": {"access_denied"}, "error_description": {"<b>SAID</b>"}}.Encode()
		}, 403, "The provider has not let you in"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBrowser(t, site)
			path := one.path(b)
			if name == "come back twice" || name == "a code that was used" {
				b.forget("__Host-testrun")
			}
			status, text := b.get(path)
			if status != one.status || !strings.Contains(text, one.want) || strings.Contains(text, "SAID") {
				t.Errorf("it is %d: %s", status, text)
			}
			b.forget("__Host-testrun-provider")
			if _, text := b.get("/"); !strings.Contains(text, "Log in with 127.0.0.1") {
				t.Errorf("afterwards they are in: %s", text)
			}
		})
	}
}

func TestATokenStillServesWhileTheProviderIsAway(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	site := open(t, func(o *page.Options) { o.OIDC.Issuer = gone.URL })
	b := newBrowser(t, site)
	if status, text := b.get("/login/provider"); status != http.StatusBadGateway || !strings.Contains(text, "The provider of logins does not answer") {
		t.Errorf("it is %d: %s", status, text)
	}
	tokens, err := pages.AddUsers(t.Context())
	must(t, err)
	response, err := b.client.PostForm(site.Server.URL+"/login", url.Values{"token": {tokens[pages.Grace]}})
	must(t, err)
	must(t, response.Body.Close())
	if _, text := b.get("/"); !strings.Contains(text, "checkout-") {
		t.Errorf("with a token it is %s", text)
	}
}
