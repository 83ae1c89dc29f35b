package ingest

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/archive/blobs"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/kit"
)

// node is a node whose kubelet answers for logs. The API server asks it, as it asks any kubelet.
type node struct {
	name string
	away atomic.Bool
	mu   sync.Mutex
	logs map[string]string // by pod/container
}

func (n *node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/containerLogs/"), "/")
	n.mu.Lock()
	log, ok := n.logs[parts[1]+"/"+parts[2]]
	n.mu.Unlock()
	if n.away.Load() || !ok {
		http.Error(w, "the container runtime does not answer", http.StatusInternalServerError)
		return
	}
	if limit, err := strconv.Atoi(r.URL.Query().Get("limitBytes")); err == nil {
		log = log[:min(len(log), limit)]
	}
	_, _ = io.WriteString(w, log)
}

// logging reads logs from a node into a real archive.
type logging struct {
	*kit.World
	node  *node
	store *archive.Store
	blobs blobs.Blobs
	logs  *KubeletLogs
}

func newLogging(t *testing.T) *logging {
	t.Helper()
	l := &logging{World: kit.New(t), node: &node{logs: map[string]string{}}}
	kubelet := httptest.NewUnstartedServer(l.node)
	kubelet.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	kubelet.StartTLS()
	t.Cleanup(kubelet.Close)
	address, err := url.Parse(kubelet.URL)
	l.Must(err)
	port, err := strconv.ParseInt(address.Port(), 10, 32)
	l.Must(err)
	l.node.name = l.Namespace
	object := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: l.node.name}}
	l.Must(l.Client.Create(l.Ctx, object))
	object.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address.Hostname()}}
	object.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(port)
	l.Must(l.Client.Status().Update(l.Ctx, object))

	l.store = openStore(t)
	l.blobs, err = blobs.Open(t.Context(), "file:"+t.TempDir())
	l.Must(err)
	clients, err := kubernetes.NewForConfig(apiserver.Config)
	l.Must(err)
	l.logs = &KubeletLogs{
		Pods: clients.CoreV1(), Store: l.store, Keeper: Keeper{Store: l.store, Blobs: l.blobs}, MaxLog: 1 << 20,
		Log: slog.New(slog.DiscardHandler), Metrics: NewKubeletMetrics(prometheus.NewRegistry()), waiting: 100 * time.Millisecond, margin: time.Millisecond,
	}
	return l
}

// start reads logs until the test ends.
func (l *logging) start() {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { l.logs.Run(ctx) })
	l.T.Cleanup(func() {
		cancel()
		done.Wait()
	})
}

func uidOf(run string) string { return "uid-of-" + run }

// run stores a run that has finished in one attempt, in a pod of its name.
func (l *logging) run(name string) {
	l.T.Helper()
	run := archive.Run{
		UID: uidOf(name), Namespace: l.Namespace, Name: name, Series: name, Phase: "Finished", Verdict: "Failed",
		Created: at(0), Started: at(1), Finished: at(2), ResourceVersion: "41",
	}
	attempt := archive.Attempt{
		UID: run.UID, Number: 1, Job: name + "-1", Pod: name, Node: l.node.name, Verdict: "Failed", ExitCode: ptr.To[int32](1),
		Created: at(0), Started: at(1), Finished: at(2),
	}
	l.Must(l.store.Apply(l.Ctx, archive.Batch{Runs: []archive.RunState{{Run: run, Attempts: []archive.Attempt{attempt}, Object: []byte("{}")}}}))
}

// pod makes the pod of a run, whose test has printed that and ended.
func (l *logging) pod(run, printed string) *corev1.Pod {
	l.T.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: run, Labels: map[string]string{v1alpha1.LabelRun: run}},
		Spec: corev1.PodSpec{NodeName: l.node.name, Containers: []corev1.Container{
			{Name: "helper", Image: "none"},
			{Name: "test", Image: "none", Env: []corev1.EnvVar{{Name: v1alpha1.EnvUID, Value: uidOf(run)}}},
		}},
	}
	l.Create(pod)
	l.report(pod, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: 1, StartedAt: metav1.NewTime(at(1)), FinishedAt: metav1.NewTime(at(2)),
	}})
	l.node.mu.Lock()
	defer l.node.mu.Unlock()
	l.node.logs[run+"/test"], l.node.logs[run+"/helper"] = printed, "helped\n"
	return pod
}

func (l *logging) report(pod *corev1.Pod, state corev1.ContainerState) {
	l.T.Helper()
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{
		{Name: "helper", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 0, StartedAt: metav1.NewTime(at(1))}}},
		{Name: "test", State: state},
	}
	l.Must(l.Client.Status().Update(l.Ctx, pod))
}

// push pushes a part of the output, as the runner of the run does.
func (l *logging) push(run, part string, offset int64) {
	l.T.Helper()
	_, err := l.logs.Keeper.Keep(l.Ctx, archive.NewChunk{
		Owner:  archive.Owner{UID: uidOf(run), Namespace: l.Namespace, Name: run, Series: run, Created: at(0), Attempt: 1},
		Stream: outputStream, Source: archive.FromRunner, Chunk: archive.Chunk{Offset: offset, Length: int64(len(part))}, Data: []byte(part),
	}, blobs.Pack([]byte(part)))
	l.Must(err)
}

// waitForSettled waits until the attempt of a run is settled, and returns its notes.
func (l *logging) waitForSettled(run string) (notes []string) {
	l.T.Helper()
	l.WaitFor("the output of run "+run+" is settled", func() bool {
		waiting, err := l.store.Unsettled(l.Ctx, 0)
		l.Must(err)
		return !slices.ContainsFunc(waiting, func(a archive.UnsettledAttempt) bool { return a.UID == uidOf(run) })
	})
	attempts, err := l.store.Attempts(l.Ctx, uidOf(run))
	if err != nil || len(attempts) != 1 {
		l.T.Fatalf("the attempts of run %s are %+v, %v", run, attempts, err)
	}
	return attempts[0].Missing
}

// expectOutput says what is kept of the output of a run from its beginning on.
func (l *logging) expectOutput(run, want string, source archive.Source) archive.StreamState {
	l.T.Helper()
	state, err := l.store.Stream(l.Ctx, uidOf(run), 1, outputStream)
	l.Must(err)
	var got []byte
	for int64(len(got)) < state.Length {
		chunks, err := l.store.Chunks(l.Ctx, uidOf(run), 1, outputStream, int64(len(got)), 1)
		l.Must(err)
		data, err := l.logs.Keeper.read(l.Ctx, chunks[0])
		l.Must(err)
		got = append(got, data[int64(len(got))-chunks[0].Offset:]...)
	}
	if string(got) != want || state.Source != source {
		l.T.Errorf("the output of run %s is %.200q (%d bytes) from %s, want %.200q (%d bytes) from %s",
			run, got, len(got), state.Source, want, len(want), source)
	}
	return state
}

func (l *logging) expectNotes(run string, notes []string, wanted ...string) {
	l.T.Helper()
	if len(notes) != len(wanted) {
		l.T.Errorf("the notes on run %s are %q, want %q", run, notes, wanted)
		return
	}
	for i, want := range wanted {
		if !strings.Contains(notes[i], want) {
			l.T.Errorf("a note on run %s is %q, want %q", run, notes[i], want)
		}
	}
}

func lines(from, to int) string {
	var text strings.Builder
	for i := from; i <= to; i++ {
		fmt.Fprintf(&text, "ok %d - a case\n", i)
	}
	return text.String()
}

func TestTheLogOfAPodThatPushedNothingIsKept(t *testing.T) {
	l := newLogging(t)
	l.pod("smoke", lines(1, 9))
	l.run("smoke")
	l.start()
	l.expectNotes("smoke", l.waitForSettled("smoke"))
	l.expectOutput("smoke", lines(1, 9), archive.FromKubelet)
}

func TestTheLogGoesOnWhereTheRunnerStopped(t *testing.T) {
	l := newLogging(t)
	l.pod("smoke", lines(1, 20000))
	l.run("smoke")
	l.push("smoke", lines(1, 5000), 0)
	l.push("smoke", lines(5001, 9000), int64(len(lines(1, 5000))))
	l.start()
	l.expectNotes("smoke", l.waitForSettled("smoke"), fmt.Sprintf("the first %d bytes is missing, but it was read from the pod's log", len(lines(1, 9000))))
	l.expectOutput("smoke", lines(1, 20000), archive.FromRunner)
}

func TestAGapIsFilledFromTheLog(t *testing.T) {
	l := newLogging(t)
	l.pod("smoke", lines(1, 300))
	l.run("smoke")
	l.push("smoke", lines(1, 100), 0)
	l.push("smoke", lines(201, 300), int64(len(lines(1, 200))))
	l.start()
	l.waitForSettled("smoke")
	l.expectOutput("smoke", lines(1, 300), archive.FromRunner)
}

func TestALogThatIsTooLongIsCutAndSaysSo(t *testing.T) {
	l := newLogging(t)
	l.logs.MaxLog = 100
	l.pod("smoke", lines(1, 100))
	l.run("smoke")
	l.start()
	l.waitForSettled("smoke")
	if state := l.expectOutput("smoke", lines(1, 100)[:100], archive.FromKubelet); !strings.Contains(state.Cut, "longer than 100 bytes") {
		t.Errorf("it is cut, since %q", state.Cut)
	}
}

func TestTheOutputOfARunBeyondItsLimitIsNotKeptAndSaysSo(t *testing.T) {
	l := newLogging(t)
	l.logs.Limits.RunBytes = 100
	l.pod("smoke", lines(1, 100))
	l.run("smoke")
	l.start()
	l.waitForSettled("smoke")
	if state := l.expectOutput("smoke", "", archive.FromKubelet); !strings.Contains(state.Cut, "the limit of 100 bytes") {
		t.Errorf("it is cut, since %q", state.Cut)
	}
}

func TestWhatCannotBeReadIsSaid(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(l *logging)
		want    string
	}{
		"the pod is gone": {func(*logging) {}, "nothing of it was pushed, and pod smoke is gone, and its log with it"},
		"the pod is gone, and something was pushed": {
			func(l *logging) { l.push("smoke", lines(1, 2), 0) },
			fmt.Sprintf("what followed the first %d bytes, but for what is kept of it, was not pushed, and pod smoke is gone", len(lines(1, 2))),
		},
		"another pod has the name": {func(l *logging) {
			l.Create(&corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Name: "smoke"},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "test", Image: "none"}}},
			})
		}, "pod smoke is another one now"},
		"the log does not go on": {func(l *logging) {
			l.push("smoke", lines(1, 2), 0)
			l.pod("smoke", lines(7, 9))
		}, "the log of pod smoke does not show where to go on"},
		"the kubelet does not answer": {func(l *logging) {
			l.pod("smoke", lines(1, 2))
			l.node.away.Store(true)
			l.logs.patience = time.Second
		}, "the log of pod smoke could not be read for 1s"},
		"the container does not end": {func(l *logging) {
			l.report(l.pod("smoke", lines(1, 2)), corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})
			l.logs.patience = time.Second
		}, "the test's container still ran when its log was read"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLogging(t)
			l.run("smoke")
			test.prepare(l)
			l.start()
			l.expectNotes("smoke", l.waitForSettled("smoke"), test.want)
		})
	}
}

func TestAnAttemptWithoutOutputIsSettledWithoutAWord(t *testing.T) {
	l := newLogging(t)
	l.report(l.pod("never-ran", ""), corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}})
	for _, run := range []string{"never-ran", "whole"} {
		l.run(run)
	}
	l.push("whole", "ok 1\n", 0)
	_, err := l.store.SetEnd(l.Ctx, archive.Owner{UID: uidOf("whole"), Namespace: l.Namespace, Name: "whole", Attempt: 1}, push.End{
		Streams: []push.StreamEnd{{Kind: push.Output, Length: 5, SHA256: "51e5ba0f9a2d2ae7b9c3a9a1f7d4c1d1"}},
	})
	l.Must(err)
	l.start()
	for _, run := range []string{"never-ran", "whole"} {
		l.expectNotes(run, l.waitForSettled(run))
	}
}

func TestALogIsReadOnceTheContainerHasEnded(t *testing.T) {
	l := newLogging(t)
	pod := l.pod("smoke", lines(1, 2))
	ended := pod.Status.ContainerStatuses[1].State
	l.report(pod, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})
	l.run("smoke")
	l.start()
	l.ExpectNever("it is settled while the container runs", 3*time.Second, func() bool {
		waiting, err := l.store.Unsettled(l.Ctx, 0)
		l.Must(err)
		return len(waiting) == 0
	})
	l.report(pod, ended)
	l.expectNotes("smoke", l.waitForSettled("smoke"))
	l.expectOutput("smoke", lines(1, 2), archive.FromKubelet)
}
