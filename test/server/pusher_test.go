package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/archive/blobs"
	"github.com/testrun-dev/testrun/internal/jobspec"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/test/builders"
)

// client trusts any key: which one is right, the tests of the runner ask.
var client = &http.Client{Transport: &http.Transport{
	TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 32, //nolint:gosec // the test
}}

// pusher pushes as the runner of a run's only attempt does.
type pusher struct {
	*world
	run     *v1alpha1.TestRun
	pod     string
	attempt push.Attempt
	token   string
	streams map[push.Stream][]string
	// taken are the requests that a server has taken.
	taken map[string]bool
}

var (
	output = push.Stream{Kind: push.Output}
	cases  = push.Stream{Kind: push.Cases}
)

// newPusher creates a run, with the Job and the pod that would be made for it. Its output has so many parts, and so have its cases.
func (w *world) newPusher(name string, parts int) *pusher {
	w.T.Helper()
	run := builders.TestRun(name).Build()
	w.Create(run)
	job, err := jobspec.Render(jobspec.Request{Run: run, Asked: run.Spec}, jobspec.Runner{
		Image: "runner", Mount: jobspec.ImageVolume, Archive: jobspec.Archive{URL: "https://archive:9443", Pins: []string{sumOf("key")}},
	}, 1)
	w.Must(err)
	w.Must(w.Client.Create(w.Ctx, job))
	pod := &corev1.Pod{ObjectMeta: *job.Spec.Template.ObjectMeta.DeepCopy(), Spec: *job.Spec.Template.Spec.DeepCopy()}
	pod.GenerateName, pod.Spec.ServiceAccountName = job.Name+"-", "default"
	pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))}
	w.Create(pod)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences: []string{push.Audience}, ExpirationSeconds: ptr.To[int64](3600),
		BoundObjectRef: &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod.Name, UID: pod.UID},
	}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "default"}}
	w.Must(w.Client.SubResource("token").Create(w.Ctx, account, request))
	p := &pusher{
		world: w, run: run, pod: pod.Name, token: request.Status.Token,
		attempt: push.Attempt{Namespace: run.Namespace, Name: run.Name, UID: string(run.UID), Number: 1},
		streams: map[push.Stream][]string{}, taken: map[string]bool{},
	}
	for i := range parts {
		outcome := []string{"Passed", "Failed"}[i%2]
		p.streams[cases] = append(p.streams[cases], fmt.Sprintf(`{"i":%d,"n":"case %d","o":"%s","m":"%s"}`+"\n", i+1, i, outcome, text()))
		p.streams[output] = append(p.streams[output], strings.Repeat(fmt.Sprintf("%s says this in part %d\n", name, i), 500))
	}
	return p
}

// text cannot be compressed well.
func text() string {
	var out strings.Builder
	for range 40 {
		out.WriteString(rand.Text())
	}
	return out.String()
}

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// refused is an answer that a runner does not take for a no to everything: it pushes again.
type refused struct {
	code    int
	message string
}

func (r *refused) Error() string { return fmt.Sprintf("the server answered %d: %s", r.code, r.message) }

// try pushes something once to an address.
func (p *pusher) try(ctx context.Context, address, path string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, "https://"+address+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+p.token)
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode == http.StatusNoContent {
		return nil
	}
	var said push.Refusal
	_ = json.Unmarshal(text, &said)
	return &refused{answer.StatusCode, said.Error}
}

// push pushes something until it is taken, to one address after the other.
func (p *pusher) push(ctx context.Context, addresses []string, path string, body []byte) error {
	for i := 0; ; i++ {
		err := p.try(ctx, addresses[i%len(addresses)], path, body)
		if err == nil {
			return nil
		}
		if no, ok := err.(*refused); ok && no.code != http.StatusTooManyRequests && no.code < 500 { //nolint:errorlint // try does not wrap it
			return fmt.Errorf("a runner would give up: %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// chunk is the request for a part of a stream.
func (p *pusher) chunk(stream push.Stream, part int) (path string, body []byte) {
	offset := len(strings.Join(p.streams[stream][:part], ""))
	text := p.streams[stream][part]
	return push.ChunkPath(p.attempt, stream, int64(offset), int64(len(text))), blobs.Pack([]byte(text))
}

// pushAll pushes everything: every third part to all addresses at the same time, the others to them in turn, and every second part again.
func (p *pusher) pushAll(ctx context.Context, addresses []string) error {
	for part := range p.streams[output] {
		for _, stream := range []push.Stream{output, cases} {
			path, body := p.chunk(stream, part)
			if part%3 == 0 {
				errs := make([]error, len(addresses))
				var all sync.WaitGroup
				for i, address := range addresses {
					all.Go(func() { errs[i] = p.try(ctx, address, path, body) })
				}
				all.Wait() // whether one of them has taken it, the push that follows finds out
			}
			addresses = append(addresses[1:len(addresses):len(addresses)], addresses[0])
			for range 1 + part%2 {
				if err := p.push(ctx, addresses, path, body); err != nil {
					return err
				}
			}
		}
	}
	return p.pushEnd(ctx, addresses)
}

func (p *pusher) pushEnd(ctx context.Context, addresses []string) error {
	var end push.End
	for stream, parts := range p.streams {
		text := strings.Join(parts, "")
		end.Streams = append(end.Streams, push.StreamEnd{Kind: stream.Kind, Length: int64(len(text)), SHA256: sumOf(text)})
	}
	body, err := json.Marshal(end)
	if err != nil {
		return err
	}
	return p.push(ctx, addresses, push.EndPath(p.attempt), body)
}

// finish reports the end of the run, as the operator does.
func (p *pusher) finish() error {
	now := metav1.Now()
	p.run.Status = v1alpha1.TestRunStatus{
		Phase: v1alpha1.PhaseFinished, Verdict: v1alpha1.VerdictFailed, StartTime: &now, FinishTime: &now,
		Attempts: []v1alpha1.Attempt{{
			Number: 1, Job: p.run.Name + "-1", Pod: p.pod, CreateTime: &now, StartTime: &now, FinishTime: &now, Verdict: v1alpha1.VerdictFailed,
		}},
	}
	return p.Client.Status().Update(p.Ctx, p.run)
}

// expectWhole checks that all that was pushed is kept, once.
func (p *pusher) expectWhole() {
	p.T.Helper()
	for stream, parts := range p.streams {
		text := strings.Join(parts, "")
		state, err := p.store.Stream(p.Ctx, p.attempt.UID, 1, stream)
		if err != nil || !state.Verified || state.Length != int64(len(text)) || state.Stored != state.Length || state.SHA256 != sumOf(text) {
			p.T.Errorf("the %s of run %s is %+v, %v; want %d bytes", stream.Kind, p.run.Name, state, err, len(text))
		}
		if kept := p.kept(stream); kept != text {
			p.T.Errorf("the %s of run %s has %d bytes in its blobs, want %d, or is another", stream.Kind, p.run.Name, len(kept), len(text))
		}
	}
	found, more, err := p.store.Cases(p.Ctx, archive.CaseQuery{UID: p.attempt.UID, Attempt: 1, Limit: archive.MaxPage})
	if err != nil || more || len(found) != len(p.streams[cases]) {
		p.T.Errorf("run %s has %d cases, %v, want %d", p.run.Name, len(found), err, len(p.streams[cases]))
	}
}

// kept is what the blobs of a stream hold.
func (p *pusher) kept(stream push.Stream) string {
	p.T.Helper()
	chunks, err := p.store.Chunks(p.Ctx, p.attempt.UID, 1, stream, 0, archive.MaxPage)
	p.Must(err)
	var text strings.Builder
	for _, chunk := range chunks {
		body, err := p.blobs.Get(p.Ctx, chunk.Key, 0, -1)
		p.Must(err)
		packed, err := io.ReadAll(body)
		p.Must(err)
		p.Must(body.Close())
		data, err := blobs.Unpack(packed, chunk.Length)
		p.Must(err)
		text.Write(data)
	}
	return text.String()
}
