package ingest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/archive/blobs"
	"github.com/testrun-dev/testrun/internal/jobspec"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/builders"
)

// world is an archive that runs of a namespace push to. The runs, their Jobs and pods, and the tokens are on a real API server.
type world struct {
	*testing.T
	namespace string
	store     *archive.Store
	blobs     blobs.Blobs
	reviewer  *PodReviewer
	metrics   *prometheus.Registry
	server    *httptest.Server
}

// patience is enough on any machine.
const patience = 5 * time.Minute

// changes are what a test changes of a world.
type changes struct {
	store  func(PushStore) PushStore
	blobs  func(blobs.Blobs) blobs.Blobs
	limits Limits
}

func newWorld(t *testing.T) *world {
	t.Helper()
	store := openStore(t)
	kept, err := blobs.Open(t.Context(), "file:"+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := kept.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{T: t, namespace: apiserver.Namespace(t), store: store, blobs: kept, reviewer: NewPodReviewer(apiserver.Client, store)}
	w.addServiceAccount(w.namespace)
	w.start(changes{})
	return w
}

// start starts the server anew, as it is after a restart, with some changes.
func (w *world) start(c changes) *Push {
	w.Helper()
	var store PushStore = w.store
	if c.store != nil {
		store = c.store(store)
	}
	kept := w.blobs
	if c.blobs != nil {
		kept = c.blobs(kept)
	}
	if w.server != nil {
		w.server.Close()
	}
	w.metrics = prometheus.NewRegistry()
	handler := NewPush(PushOptions{
		Store: store, Blobs: kept, Reviewer: w.reviewer, Limits: c.limits, Registerer: w.metrics, Log: slog.New(slog.DiscardHandler),
	})
	handler.storeTime, w.reviewer.patience = patience, patience
	w.server = httptest.NewServer(handler)
	w.Cleanup(w.server.Close)
	return handler
}

func (w *world) addServiceAccount(namespace string) {
	w.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"}}
	if err := apiserver.Client.Create(w.Context(), account); err != nil && !apierrors.IsAlreadyExists(err) {
		w.Fatal(err)
	}
}

// addRun creates a run.
func (w *world) addRun(namespace, name string) *v1alpha1.TestRun {
	w.Helper()
	run := builders.TestRun(name).In(namespace).DeepCopy()
	if err := apiserver.Client.Create(w.Context(), run); err != nil {
		w.Fatal(err)
	}
	return run
}

// podOf creates the pod of an attempt as the Job controller does, from the Job that the operator renders. change changes it before.
func (w *world) podOf(run *v1alpha1.TestRun, attempt int32, change func(*corev1.Pod)) *corev1.Pod {
	w.Helper()
	request := jobspec.Request{Run: run, Asked: run.Spec}
	job, err := jobspec.Render(request, jobspec.Runner{
		Image: "runner", Mount: jobspec.ImageVolume, Archive: jobspec.Archive{URL: "https://archive:9443", Pins: []string{sha256Of("key")}},
	}, attempt)
	if err != nil {
		w.Fatal(err)
	}
	if err := apiserver.Client.Create(w.Context(), job); err != nil {
		w.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: *job.Spec.Template.ObjectMeta.DeepCopy(), Spec: *job.Spec.Template.Spec.DeepCopy()}
	pod.Namespace, pod.GenerateName = job.Namespace, job.Name+"-"
	pod.Spec.ServiceAccountName = "default"
	pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))}
	if change != nil {
		change(pod)
	}
	if err := apiserver.Client.Create(w.Context(), pod); err != nil {
		w.Fatal(err)
	}
	return pod
}

// tokenOf asks for a token as the kubelet does for a pod; of no pod it is one of the account alone.
func (w *world) tokenOf(namespace string, pod *corev1.Pod, audience string) string {
	w.Helper()
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences: []string{audience}, ExpirationSeconds: ptr.To[int64](600),
	}}
	if pod != nil {
		request.Spec.BoundObjectRef = &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod.Name, UID: pod.UID}
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"}}
	if err := apiserver.Client.SubResource("token").Create(w.Context(), account, request); err != nil {
		w.Fatal(err)
	}
	return request.Status.Token
}

// pusher is what pushes in the pod of an attempt.
type pusher struct {
	*world
	attempt push.Attempt
	token   string
}

// newPusher makes a run with a pod that pushes.
func (w *world) newPusher(name string) *pusher {
	w.Helper()
	run := w.addRun(w.namespace, name)
	return w.pusherOf(run, 1, w.podOf(run, 1, nil))
}

func (w *world) pusherOf(run *v1alpha1.TestRun, attempt int32, pod *corev1.Pod) *pusher {
	w.Helper()
	return &pusher{w, attemptOf(run, attempt), w.tokenOf(run.Namespace, pod, push.Audience)}
}

func attemptOf(run *v1alpha1.TestRun, number int32) push.Attempt {
	return push.Attempt{Namespace: run.Namespace, Name: run.Name, UID: string(run.UID), Number: number}
}

// put pushes a body, and returns the code of the answer and what a refusal says.
func (r *pusher) put(path string, body []byte) (code int, message string) {
	r.Helper()
	code, message, err := r.try(r.Context(), path, body)
	if err != nil {
		r.Fatal(err)
	}
	return code, message
}

func (r *pusher) try(ctx context.Context, path string, body []byte) (code int, message string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, r.server.URL+path, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Authorization", "Bearer "+r.token)
	answer, err := r.server.Client().Do(request)
	if err != nil {
		return 0, "", err
	}
	text, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return 0, "", err
	}
	if answer.StatusCode == http.StatusNoContent {
		return answer.StatusCode, "", nil
	}
	var refused push.Refusal
	if err := json.Unmarshal(text, &refused); err != nil || refused.Error == "" {
		return answer.StatusCode, "", fmt.Errorf("the answer %d is no refusal: %s", answer.StatusCode, text)
	}
	return answer.StatusCode, refused.Error, nil
}

// chunk pushes a part of a stream.
func (r *pusher) chunk(stream push.Stream, offset int64, text string) (code int, message string) {
	r.Helper()
	return r.put(push.ChunkPath(r.attempt, stream, offset, int64(len(text))), blobs.Pack([]byte(text)))
}

// end pushes the End of streams that hold that.
func (r *pusher) end(streams map[push.Stream]string) (code int, message string) {
	r.Helper()
	var end push.End
	for stream, text := range streams {
		end.Streams = append(end.Streams, push.StreamEnd{Kind: stream.Kind, Path: stream.Path, Length: int64(len(text)), SHA256: sha256Of(text)})
	}
	body, err := json.Marshal(end)
	if err != nil {
		r.Fatal(err)
	}
	return r.put(push.EndPath(r.attempt), body)
}

// expect fails unless the answer has that code.
func (w *world) expect(want int) func(code int, message string) {
	return func(code int, message string) {
		w.Helper()
		if code != want {
			w.Errorf("the answer is %d %q instead of %d", code, message, want)
		}
	}
}

// kept reads what is kept of a stream, from its beginning up to the first gap.
func (r *pusher) kept(stream push.Stream) string {
	r.Helper()
	var text strings.Builder
	for {
		chunks, err := r.store.Chunks(r.Context(), r.attempt.UID, r.attempt.Number, stream, int64(text.Len()), 10)
		if err != nil && !errors.Is(err, archive.ErrNotFound) {
			r.Fatal(err)
		}
		if len(chunks) == 0 || chunks[0].Offset > int64(text.Len()) {
			return text.String()
		}
		data, err := Keeper{r.store, r.blobs}.read(r.Context(), chunks[0])
		if err != nil {
			r.Fatal(err)
		}
		text.Write(data[int64(text.Len())-chunks[0].Offset:])
	}
}

// state is that of a stream.
func (r *pusher) state(stream push.Stream) archive.StreamState {
	r.Helper()
	state, err := r.store.Stream(r.Context(), r.attempt.UID, r.attempt.Number, stream)
	if err != nil {
		r.Fatal(err)
	}
	return state
}

// expectOnlyBlobsOf fails unless the blobs that are kept are those of the chunks of that stream, of all pushers.
func (w *world) expectOnlyBlobsOf(stream push.Stream, pushers ...*pusher) {
	w.Helper()
	named := map[string]bool{}
	for _, r := range pushers {
		chunks, err := w.store.Chunks(w.Context(), r.attempt.UID, r.attempt.Number, stream, 0, archive.MaxPage)
		if err != nil {
			w.Fatal(err)
		}
		for _, chunk := range chunks {
			named[chunk.Key] = true
		}
	}
	for _, blob := range w.allBlobs() {
		if !named[blob] {
			w.Errorf("no row names the blob %s", blob)
		}
		delete(named, blob)
	}
	for key := range named {
		w.Errorf("the blob %s is not there", key)
	}
}

func (w *world) allBlobs() []string {
	w.Helper()
	found, err := w.blobs.List(w.Context(), "", "", blobs.MaxList)
	if err != nil {
		w.Fatal(err)
	}
	keys := make([]string, 0, len(found))
	for _, blob := range found {
		keys = append(keys, blob.Key)
	}
	return keys
}

// watched stores a run as the watch does.
func (w *world) watched(run *v1alpha1.TestRun, attempts ...archive.Attempt) {
	w.Helper()
	err := w.store.Apply(w.Context(), archive.Batch{Runs: []archive.RunState{{Attempts: attempts, Run: archive.Run{
		UID: string(run.UID), Namespace: run.Namespace, Name: run.Name, Series: run.Name, Created: run.CreationTimestamp.Time,
		ResourceVersion: run.ResourceVersion,
	}}}})
	if err != nil {
		w.Fatal(err)
	}
}

func sha256Of(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// remove deletes an object at once.
func (w *world) remove(object client.Object) {
	w.Helper()
	if err := apiserver.Client.Delete(w.Context(), object, client.GracePeriodSeconds(0)); err != nil {
		w.Fatal(err)
	}
}
