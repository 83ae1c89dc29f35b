package server

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/testrun-dev/testrun/internal/page"
	testpg "github.com/testrun-dev/testrun/test/postgres"
)

// answer is what came back, without its body.
type answer struct {
	status int
	header http.Header
	cookie string
}

// browse asks as a browser does, with a cookie; it follows nothing.
func (w *world) browse(method, address, cookie string, form url.Values) answer {
	w.T.Helper()
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}, //nolint:gosec // the test
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	request, err := http.NewRequestWithContext(w.Ctx, method, "https://"+address, strings.NewReader(form.Encode()))
	w.Must(err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Cookie", cookie)
	response, err := client.Do(request)
	w.Must(err)
	w.Must(response.Body.Close())
	got := answer{status: response.StatusCode, header: response.Header}
	for _, cookie := range response.Cookies() {
		got.cookie = cookie.Name + "=" + cookie.Value
	}
	return got
}

// logIn returns the cookie of a session.
func (w *world) logIn(api, token string) (cookie string) {
	w.T.Helper()
	answer := w.browse(http.MethodPost, api+"/login", "", url.Values{"token": {token}})
	if answer.status != http.StatusSeeOther || answer.cookie == "" {
		w.T.Fatalf("logging in is answered with %d and %q", answer.status, answer.header)
	}
	return answer.cookie
}

// token is that of a new ServiceAccount.
func (w *world) token(name string) string {
	w.T.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
	w.Create(account)
	request := &authenticationv1.TokenRequest{}
	w.Must(w.Client.SubResource("token").Create(w.Ctx, account, request))
	return request.Status.Token
}

func TestReplicasWithTheSameKeyShareSessionsAndTheirEnds(t *testing.T) {
	w := newWorld(t)
	database, err := testpg.Start(w.Ctx)
	w.Must(err)
	t.Cleanup(func() { w.Must(database.Stop()) })
	w.options.Database, err = database.NewDatabase(context.WithoutCancel(w.Ctx))
	w.Must(err)
	w.options.LeaderElect = true
	w.options.SessionKeyFile = filepath.Join(t.TempDir(), "session.key")
	w.Must(os.WriteFile(w.options.SessionKeyFile, page.NewKey(), 0o600))
	token := w.token("ada")

	first, _ := w.start()
	w.options.DataDir = t.TempDir()
	second, _ := w.start()
	w.options.DataDir, w.options.SessionKeyFile = t.TempDir(), ""
	stranger, _ := w.start()

	one, _, _ := first.Addresses()
	other, _, _ := second.Addresses()
	another, _, _ := stranger.Addresses()
	cookie := w.logIn(one, token)
	if answer := w.browse(http.MethodGet, other+"/", cookie, nil); answer.status != http.StatusOK {
		t.Errorf("the other replica answers %d", answer.status)
	}
	if answer := w.browse(http.MethodGet, another+"/", cookie, nil); answer.status != http.StatusSeeOther {
		t.Errorf("a replica with a key of its own answers %d", answer.status)
	}
	if answer := w.browse(http.MethodPost, one+"/logout", cookie, nil); answer.status != http.StatusSeeOther {
		t.Errorf("logging out is answered with %d", answer.status)
	}
	if answer := w.browse(http.MethodGet, one+"/", cookie, nil); answer.status != http.StatusSeeOther {
		t.Errorf("after the logout the same replica answers %d", answer.status)
	}
	w.WaitFor("the other replica knows that the session has ended", func() bool {
		return w.browse(http.MethodGet, other+"/", cookie, nil).status == http.StatusSeeOther
	})
}

func TestAKeyOfSessionsThatIsNoneStopsTheServer(t *testing.T) {
	w := newWorld(t)
	w.options.SessionKeyFile = filepath.Join(t.TempDir(), "session.key")
	if _, err := New(w.Ctx, w.options); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without the file the error is %v", err)
	}
	w.Must(os.WriteFile(w.options.SessionKeyFile, []byte("short"), 0o600))
	if _, err := New(w.Ctx, w.options); err == nil || !strings.Contains(err.Error(), "has 5 bytes: the key of sessions has 32") {
		t.Errorf("with a short one it is %v", err)
	}
}
