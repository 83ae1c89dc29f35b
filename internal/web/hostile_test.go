package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/testrun-dev/testrun/test/apiserver"
)

func TestHostileNamesInURLsFindNothing(t *testing.T) {
	w := newWorld(t)
	names := namespaces(t, 2)
	ours, theirs := w.full(names[0], "smoke"), w.full(names[1], "secret")
	token := viewer(t, names[0])
	hostile := []string{
		"", "..", ".", "../" + theirs.Namespace, "smoke/../secret", "%00", "smoke\x00", "smoke%00", "Smoke", "smoke ", "smoke'--", `smoke" OR "1"="1`, "*", "%", "_",
		"smo_e", "smoke%25", "\xff\xfe", "ü", "smoke\r\nX-Evil: 1", strings.Repeat("a", 300), strings.Repeat("a", 20000), theirs.UID, theirs.Name, "smoke?namespace=" + theirs.Namespace,
	}
	for _, e := range endpoints(t) {
		for _, name := range hostile {
			for what, with := range map[string]target{
				"namespace": {name, ours.Name, name, ours.Series},
				"name":      {ours.Namespace, name, ours.UID, ours.Series},
				"uid":       {ours.Namespace, ours.Name, name, ours.Series},
			} {
				if !strings.Contains(e.path, "{"+what+"}") {
					continue
				}
				got := w.raw(token, e.of(with))
				if got.StatusCode/100 == 2 || got.StatusCode/100 == 5 || got.Header.Get("X-Evil") != "" || strings.Contains(string(got.body), theirs.UID) {
					t.Errorf("%s with %s %q is answered with %d %s", e.id, what, name, got.StatusCode, got.body)
				}
			}
		}
	}
	for _, series := range hostile[1:] {
		for _, e := range []string{"trend", "case?name=x", "case/trend?name=x"} {
			got := w.raw(token, "/api/v1/namespaces/"+ours.Namespace+"/series/"+url.PathEscape(series)+"/"+e)
			if got.StatusCode/100 == 5 || strings.Contains(string(got.body), theirs.UID) {
				t.Errorf("%s of the series %q is answered with %d %s", e, series, got.StatusCode, got.body)
			}
		}
		for _, query := range []string{"cases?after=", "artifacts?after=", "artifact?path=", "output?offset=", "cases?attempt="} {
			got := w.raw(token, "/api/v1/runs/"+ours.UID+"/"+query+url.QueryEscape(series))
			if got.StatusCode/100 == 5 {
				t.Errorf("%s %q is answered with %d %s", query, series, got.StatusCode, got.body)
			}
		}
	}
}

// raw asks without following a redirection, as one to a path without dots is.
func (w *world) raw(token, path string) response {
	w.Helper()
	request := w.request(http.MethodGet, token, "/", "")
	address, rawQuery, _ := strings.Cut(path, "?")
	request.URL.Opaque, request.URL.RawQuery = "//"+request.URL.Host+address, rawQuery
	answer, err := w.server.Client().Transport.RoundTrip(request)
	if err != nil {
		w.Fatalf("GET %q: %v", path, err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, _ := io.ReadAll(answer.Body)
	return response{answer, text}
}

func TestCursorsThatSomebodyMadeUpAreHarmless(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	token := viewer(t, namespace)
	run := w.full(namespace, "smoke")
	for _, place := range []any{
		map[string]any{"t": -1 << 62, "u": "x"},
		map[string]any{"t": 1 << 62, "u": "\x00"},
		map[string]any{"t": 0, "u": "' OR 1=1 --"},
		map[string]any{"t": "x"},
		map[string]any{"n": -5},
		map[string]any{"n": "\x00", "s": "\x00"},
		map[string]any{"h": 1e308, "i": -1},
		map[string]any{"p": "\x00"},
		[]int{1},
		"x", nil,
		map[string]any{"u": strings.Repeat("a", 3000)},
	} {
		for _, path := range []string{
			"/api/v1/runs/" + run.UID + "/cases", "/api/v1/runs/" + run.UID + "/artifacts", "/api/v1/namespaces/" + namespace + "/runs",
			"/api/v1/namespaces/" + namespace + "/series", "/api/v1/namespaces/" + namespace + "/flaky", "/api/v1/namespaces/" + namespace + "/series/shop/case",
		} {
			got := w.get(token, path+"?name=x&after="+cursor(place))
			if strings.HasSuffix(path, "/case") == false {
				got = w.get(token, path+"?after="+cursor(place))
			}
			if got.StatusCode >= 500 {
				t.Errorf("%s after %v is answered with %d %s", path, place, got.StatusCode, got.body)
			}
		}
	}
}

func TestWithoutTheAPIServerNobodyIsLetIn(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	token := viewer(t, namespace)
	run := w.full(namespace, "smoke")
	for name, path := range map[string]string{"whose tokens are": "tokenreviews", "what they may": "subjectaccessreviews"} {
		config := apiserver.Through(rest.CopyConfig(apiserver.Config), func(request *http.Request, next http.RoundTripper) (*http.Response, error) {
			if strings.HasSuffix(request.URL.Path, "/"+path) {
				return nil, errors.New("the API server is away")
			}
			return next.RoundTrip(request)
		})
		handler, err := New(Options{Store: w.store, Blobs: w.blobs, Config: config, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewTLSServer(handler)
		t.Cleanup(server.Close)
		other := *w
		other.server = server
		got := other.get(token, "/api/v1/runs/"+run.UID)
		if got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
			t.Errorf("without knowing %s, the answer is %d %s", name, got.StatusCode, got.body)
		}
	}
}

func TestAUserCannotTakeAllTheRoom(t *testing.T) {
	g := NewGate(3, 2)
	enter := func(who string, want bool) (leave func()) {
		t.Helper()
		leave, ok := g.Enter(who)
		if ok != want {
			t.Errorf("%s is let in: %v", who, ok)
		}
		return leave
	}
	first := enter("a", true)
	enter("a", true)
	enter("a", false)
	enter("b", true)
	enter("c", false)
	first()
	enter("c", true)
	enter("a", false)
	if len(g.ofUser) != 3 {
		t.Errorf("the gate remembers %v", g.ofUser)
	}
}

func TestAFloodOfTokensForgetsNoGoodOne(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	token := viewer(t, namespace)
	asked := map[string]int{}
	config := apiserver.Through(rest.CopyConfig(apiserver.Config), func(request *http.Request, next http.RoundTripper) (*http.Response, error) {
		asked[request.URL.Path]++
		return next.RoundTrip(request)
	})
	handler, err := New(Options{Store: w.store, Blobs: w.blobs, Config: config})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(token string) int {
		request := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/api/v1/namespaces/"+namespace+"/runs", nil)
		request.Header.Set("Authorization", "Bearer "+token)
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		return answer.Code
	}
	ask(token)
	for i := range 50 {
		for range 2 {
			if status := ask(fmt.Sprintf("bad-%d", i)); status != http.StatusUnauthorized {
				t.Fatalf("a bad token is answered with %d", status)
			}
		}
	}
	if status := ask(token); status != http.StatusOK {
		t.Errorf("a good token is answered with %d", status)
	}
	if reviews := asked["/apis/authentication.k8s.io/v1/tokenreviews"]; reviews != 51 {
		t.Errorf("51 tokens were asked for %d times", reviews)
	}
	if reviews := asked["/apis/authorization.k8s.io/v1/subjectaccessreviews"]; reviews != 1 {
		t.Errorf("one right was asked for %d times", reviews)
	}
}

func TestWhoMayNotSeeOutputAnyMoreFollowsItNoLonger(t *testing.T) {
	clients, err := kubernetes.NewForConfig(apiserver.Config)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(ctx context.Context, namespace string) error{
		"who lost the right": func(ctx context.Context, namespace string) error {
			return clients.RbacV1().RoleBindings(namespace).Delete(ctx, "viewer", metav1.DeleteOptions{})
		},
		"who was deleted": func(ctx context.Context, namespace string) error {
			return clients.CoreV1().ServiceAccounts(namespace).Delete(ctx, "viewer", metav1.DeleteOptions{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := apiserver.Namespace(t)
			ctx := context.WithValue(t.Context(), userKey{}, user{token: viewer(t, namespace)})
			may := func() bool { // as when what is remembered has expired
				s := &server{identities: newIdentities(clients.AuthenticationV1().TokenReviews()), rights: newRights(clients.AuthorizationV1().SubjectAccessReviews())}
				return s.mayStill(ctx, []string{namespace}, toRun, toOutput)
			}
			if !may() {
				t.Fatal("who may see output may not follow it")
			}
			if err := change(ctx, namespace); err != nil {
				t.Fatal(err)
			}
			for may() { // the API server reads RBAC through a cache
			}
		})
	}
}
