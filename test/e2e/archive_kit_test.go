package e2e

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// The namespace of the operator and the server, and the Service of the server's API.
const (
	systemNamespace = "testrun-system"
	serverService   = "testrun-server"
)

// reader asks the server, as somebody who may view the test's namespace.
type reader struct {
	*world
	address, token string
	http           *http.Client
}

func (w *world) newReader() *reader {
	w.T.Helper()
	service := &corev1.Service{}
	w.Must(w.Client.Get(w.Ctx, kitKey(systemNamespace, serverService), service))
	w.Create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "reader"}})
	w.Create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: w.Namespace, Name: "reader"}},
	})
	request, err := cluster.clientset.CoreV1().ServiceAccounts(w.Namespace).CreateToken(w.Ctx, "reader", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	w.Must(err)
	return &reader{
		world: w, address: "https://" + service.Spec.ClusterIP, token: request.Status.Token,
		http: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}, //nolint:gosec // who is asked is not what is tested
	}
}

// ask asks the server for something below /api/v1, and returns nil while it does not have it.
func (r *reader) ask(path string) *http.Response {
	r.T.Helper()
	request, err := http.NewRequestWithContext(r.Ctx, http.MethodGet, r.address+"/api/v1/"+path, http.NoBody)
	r.Must(err)
	request.Header.Set("Authorization", "Bearer "+r.token)
	response, err := r.http.Do(request)
	if err != nil {
		return nil // the server is being started
	}
	if response.StatusCode == http.StatusOK {
		return response
	}
	body, _ := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if response.StatusCode != http.StatusNotFound && response.StatusCode < http.StatusInternalServerError {
		r.T.Fatalf("%s is answered with %d: %s", path, response.StatusCode, body)
	}
	return nil
}

// read reads an answer in JSON.
func (r *reader) read(path string, into any) bool {
	r.T.Helper()
	response := r.ask(path)
	if response == nil {
		return false
	}
	defer response.Body.Close()
	r.Must(json.NewDecoder(response.Body).Decode(into))
	return true
}

// archivedRun is what the server says of a run.
type archivedRun struct {
	UID, Phase, Verdict string
	Deleted             *string
	Attempts            []struct {
		Number  int32
		Missing []string
		Streams struct{ Output, Cases archivedStream }
	}
}

type archivedStream struct {
	Completeness, Source string
	Stored               int64
	Reasons              []string
	Gaps                 []struct{ Offset, Length int64 }
}

// waitForArchived waits until the server says of a run what it should.
func (r *reader) waitForArchived(uid, what string, is func(archivedRun) bool) archivedRun {
	r.T.Helper()
	var run archivedRun
	r.WaitFor("the server says of the run "+uid+": "+what, func() bool {
		run = archivedRun{}
		return r.read("runs/"+uid, &run) && is(run)
	})
	return run
}

// waitForSettled waits until the server keeps the finished run, and all that it will ever keep of its last attempt's output.
func (r *reader) waitForSettled(run *v1alpha1.TestRun, completeness ...string) archivedRun {
	r.T.Helper()
	return r.waitForArchived(string(run.UID), fmt.Sprintf("its output is %q", completeness), func(kept archivedRun) bool {
		if kept.Phase != string(v1alpha1.PhaseFinished) || len(kept.Attempts) == 0 {
			return false
		}
		last := kept.Attempts[len(kept.Attempts)-1]
		for _, word := range completeness {
			if last.Streams.Output.Completeness == word {
				return true
			}
		}
		return false
	})
}

// output is the digest of the kept output of a run, its length and its last bytes.
func (r *reader) output(uid string) (sum string, length int64, end string) {
	r.T.Helper()
	var answer *http.Response
	r.WaitFor("the server gives the output of the run "+uid, func() bool {
		answer = r.ask("runs/" + uid + "/output") //nolint:bodyclose // it is closed below
		return answer != nil
	})
	defer answer.Body.Close()
	tail := &tail{hash: sha256.New()}
	length, err := io.Copy(tail, answer.Body)
	r.Must(err)
	return fmt.Sprintf("%x", tail.hash.Sum(nil)), length, string(tail.end)
}

// tail hashes what is written, and holds the end of it.
type tail struct {
	hash hash.Hash
	end  []byte
}

func (t *tail) Write(data []byte) (int, error) {
	const most = 16 << 10
	t.end = append(t.end, data...)
	t.end = t.end[max(0, len(t.end)-most):]
	return t.hash.Write(data)
}

// expectOutput checks that all of the output is kept.
func (r *reader) expectOutput(uid, want string) {
	r.T.Helper()
	sum, length, end := r.output(uid)
	if wanted := fmt.Sprintf("%x", sha256.Sum256([]byte(want))); sum != wanted {
		r.T.Errorf("the output of the run %s has %d bytes and ends with %.300q, want %d bytes", uid, length, end, len(want))
	}
}

// expectOutputButGaps checks that the output is kept, but for gaps that the server names.
func (r *reader) expectOutputButGaps(kept archivedRun, want string) {
	r.T.Helper()
	stream := kept.Attempts[len(kept.Attempts)-1].Streams.Output
	var rest strings.Builder
	at := int64(0)
	for _, gap := range stream.Gaps {
		rest.WriteString(want[at:gap.Offset])
		at = gap.Offset + gap.Length
	}
	rest.WriteString(want[at:])
	r.T.Logf("%d of %d bytes are kept, in spite of %d gaps", stream.Stored, len(want), len(stream.Gaps))
	if (stream.Completeness == "complete") != (len(stream.Gaps) == 0) {
		r.T.Errorf("the output is said to be %s: %+v", stream.Completeness, stream)
	}
	r.expectOutput(kept.UID, rest.String())
}

// expectPrinted checks that the end of what is kept of the output has that in it.
func (r *reader) expectPrinted(uid, want string) {
	r.T.Helper()
	if _, length, end := r.output(uid); !strings.Contains(end, want) {
		r.T.Errorf("the output of the run %s has %d bytes and ends with %.300q, want %q", uid, length, end, want)
	}
}

// cases counts the kept cases of a run by their outcome.
func (r *reader) cases(uid string) map[string]int {
	r.T.Helper()
	counts := map[string]int{}
	for path := "runs/" + uid + "/cases?limit=500"; path != ""; {
		var page struct {
			Items []struct{ Outcome string }
			Next  string
		}
		r.WaitFor("the server gives the cases of the run "+uid, func() bool { return r.read(path, &page) })
		for _, item := range page.Items {
			counts[item.Outcome]++
		}
		if path = ""; page.Next != "" {
			path = "runs/" + uid + "/cases?limit=500&after=" + url.QueryEscape(page.Next)
		}
	}
	return counts
}
