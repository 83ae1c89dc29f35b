package ingest

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/kit"
)

var output = push.Stream{Kind: push.Output}

func TestAPodsTokenWorksForThePathOfItsOwnAttemptOnly(t *testing.T) {
	w := newWorld(t)
	other := apiserver.Namespace(t)
	w.addServiceAccount(other)
	smoke, slow, elsewhere := w.addRun(w.namespace, "smoke"), w.addRun(w.namespace, "slow"), w.addRun(other, "smoke")
	type owner struct {
		run    *v1alpha1.TestRun
		number int32
	}
	tokens := map[owner]string{}
	for _, o := range []owner{{smoke, 1}, {smoke, 2}, {slow, 1}, {elsewhere, 1}} {
		tokens[o] = w.tokenOf(o.run.Namespace, w.podOf(o.run, o.number, nil), push.Audience)
	}
	paths := map[string]owner{}
	for _, path := range []func(push.Attempt) string{
		push.ProgressPath, push.EndPath,
		func(a push.Attempt) string { return push.ChunkPath(a, output, 0, 1) },
		func(a push.Attempt) string { return push.ChunkPath(a, push.Stream{Kind: push.Cases}, 0, 1) },
		func(a push.Attempt) string {
			return push.ChunkPath(a, push.Stream{Kind: push.Artifact, Path: "a/b"}, 0, 1)
		},
	} {
		for o := range tokens {
			paths[path(attemptOf(o.run, o.number))] = o
		}
		mixed := attemptOf(smoke, 1)
		mixed.UID = string(slow.UID)
		paths[path(mixed)] = owner{}
		mixed = attemptOf(smoke, 1)
		mixed.Namespace = other
		paths[path(mixed)] = owner{}
	}
	allowed, refused := 0, 0
	for path, of := range paths {
		for o, token := range tokens {
			r := &pusher{w, push.Attempt{}, token}
			code, message := r.put(path, []byte("{}"))
			// What is allowed may be refused for its body, but only then.
			switch {
			case o == of && code != http.StatusNoContent && code != http.StatusBadRequest:
				t.Errorf("the token of %s/%s, attempt %d, is refused at %s: %d %s", o.run.Namespace, o.run.Name, o.number, path, code, message)
			case o == of:
				allowed++
			case code != http.StatusForbidden:
				t.Errorf("the token of %s/%s, attempt %d, works at %s: %d %s", o.run.Namespace, o.run.Name, o.number, path, code, message)
			default:
				refused++
			}
		}
	}
	t.Logf("%d of a token and a path are allowed, and %d are refused", allowed, refused)
	if allowed != 4*5 {
		t.Errorf("%d are allowed", allowed)
	}
}

func TestATokenThatIsNotThatOfATestsPodIsRefused(t *testing.T) {
	w := newWorld(t)
	run := w.addRun(w.namespace, "smoke")
	pod := w.podOf(run, 1, nil)
	again := int32(1)
	tokenOf := func(change func(*corev1.Pod)) string {
		again++
		made := w.podOf(run, again, func(pod *corev1.Pod) {
			// It claims to be of the first attempt.
			pod.Labels[v1alpha1.LabelAttempt] = "1"
			pod.OwnerReferences[0].Name = "smoke-1"
			for i, arg := range pod.Spec.Containers[0].Command {
				if strings.HasPrefix(arg, "--identity=") {
					pod.Spec.Containers[0].Command[i] = arg[:strings.LastIndex(arg, "/")] + "/1"
				}
			}
			change(pod)
		})
		return w.tokenOf(w.namespace, made, push.Audience)
	}
	identity := func(run, uid string) string { return "--identity=" + w.namespace + "/" + run + "/" + uid + "/1" }
	for name, c := range map[string]struct {
		token string
		want  int
	}{
		"the pod's own":                     {tokenOf(func(*corev1.Pod) {}), http.StatusNoContent},
		"none":                              {"", http.StatusUnauthorized},
		"made up":                           {"made.up.token", http.StatusUnauthorized},
		"very long":                         {strings.Repeat("a", maxToken+1), http.StatusUnauthorized},
		"for another audience":              {w.tokenOf(w.namespace, pod, "somebody"), http.StatusUnauthorized},
		"for the API server":                {w.tokenOf(w.namespace, pod, "https://kubernetes.default.svc"), http.StatusUnauthorized},
		"of the account, without a pod":     {w.tokenOf(w.namespace, nil, push.Audience), http.StatusForbidden},
		"of a pod without a Job":            {tokenOf(func(pod *corev1.Pod) { pod.OwnerReferences = nil }), http.StatusForbidden},
		"of a pod of another Job":           {tokenOf(func(pod *corev1.Pod) { pod.OwnerReferences[0].Name = "other" }), http.StatusForbidden},
		"of a pod of another controller":    {tokenOf(func(pod *corev1.Pod) { pod.OwnerReferences[0].Kind = "ReplicaSet" }), http.StatusForbidden},
		"of a pod with another run's label": {tokenOf(func(pod *corev1.Pod) { pod.Labels[v1alpha1.LabelRun] = "other" }), http.StatusForbidden},
		"of a pod without the labels":       {tokenOf(func(pod *corev1.Pod) { pod.Labels = nil }), http.StatusForbidden},
		"of a pod without the runner":       {tokenOf(func(pod *corev1.Pod) { pod.Spec.Containers[0].Command = []string{"true"} }), http.StatusForbidden},
		"of a pod with another UID": {tokenOf(func(pod *corev1.Pod) {
			pod.Spec.Containers[0].Command = []string{"/testrun/runner", "run", identity("smoke", "another"), "--", "true"}
		}), http.StatusServiceUnavailable}, // nobody has heard of that run yet
		"of a pod with another UID as a variable": {tokenOf(func(pod *corev1.Pod) {
			pod.Spec.Containers[0].Env = append(pod.Spec.Containers[0].Env, corev1.EnvVar{Name: v1alpha1.EnvUID, Value: "another"})
		}), http.StatusForbidden},
		"of a pod with a container of another run": {tokenOf(func(pod *corev1.Pod) {
			more := *pod.Spec.Containers[0].DeepCopy()
			more.Name, more.Command = "more", []string{"/testrun/runner", "run", identity("smoke", "another"), "--", "true"}
			pod.Spec.Containers = append(pod.Spec.Containers, more)
		}), http.StatusForbidden},
	} {
		r := &pusher{w, attemptOf(run, 1), c.token}
		if code, message := r.put(push.ProgressPath(r.attempt), []byte("{}")); code != c.want {
			t.Errorf("a token that is %s: %d %q instead of %d", name, code, message, c.want)
		}
	}
}

func TestATestThatRefersToItsIdentityCanPushToo(t *testing.T) {
	w := newWorld(t)
	spec := builders.TestSpec("true")
	test := &spec.Template.Spec.Containers[0]
	test.Env = []corev1.EnvVar{{Name: "URL", Value: "http://$(TESTRUN_NAME)"}} // so the kubelet needs the identity as variables
	test.Args = []string{"--identity=other/run/uid/1"}
	spec.Template.Spec.Containers = append(spec.Template.Spec.Containers, corev1.Container{
		Name: "database", Image: builders.Image, Command: []string{"serve", "run", "--", "--identity=other/run/uid/1"},
	})
	run := builders.TestRun("smoke").In(w.namespace).Running(spec).DeepCopy()
	if err := apiserver.Client.Create(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	pod := w.podOf(run, 1, nil)
	if !slices.ContainsFunc(pod.Spec.Containers[0].Env, func(v corev1.EnvVar) bool { return v.Name == v1alpha1.EnvUID }) {
		t.Fatal("the pod has no variables that tell its identity")
	}
	r := w.pusherOf(run, 1, pod)
	w.expect(http.StatusNoContent)(r.chunk(output, 0, "text"))
}

func TestATokenEndsWithItsPod(t *testing.T) {
	w := newWorld(t)
	w.reviewer.ttl = 0 // nothing is remembered
	run := w.addRun(w.namespace, "smoke")
	pod := w.podOf(run, 1, nil)
	r := w.pusherOf(run, 1, pod)
	w.expect(http.StatusNoContent)(r.chunk(output, 0, "text"))
	w.remove(pod)
	for range 3 {
		if code, _ := r.chunk(output, 4, "more"); code != http.StatusForbidden && code != http.StatusUnauthorized {
			t.Errorf("the token of a pod that is gone still works: %d", code)
		}
	}
	if got := r.kept(output); got != "text" {
		t.Errorf("kept is %q", got)
	}
}

func TestWhoPushesIsRememberedForAWhile(t *testing.T) {
	w := newWorld(t)
	w.reviewer.ttl = time.Hour
	run := w.addRun(w.namespace, "smoke")
	pod := w.podOf(run, 1, nil)
	r := w.pusherOf(run, 1, pod)
	w.expect(http.StatusNoContent)(r.chunk(output, 0, "text"))
	w.remove(pod) // with grace 0, while its process still runs
	w.expect(http.StatusNoContent)(r.chunk(output, 4, " and more"))
	if got := r.kept(output); got != "text and more" {
		t.Errorf("kept is %q", got)
	}
}

func TestATokenOfAnAttemptThatHasEndedIsNotRemembered(t *testing.T) {
	w := newWorld(t)
	w.reviewer.ttl = time.Hour
	run := w.addRun(w.namespace, "smoke")
	pod := w.podOf(run, 1, nil)
	r := w.pusherOf(run, 1, pod)
	w.expect(http.StatusNoContent)(r.chunk(output, 0, "text"))
	w.watched(run, archive.Attempt{Number: 1, Verdict: "Error", Finished: time.Now()})
	w.expect(http.StatusNoContent)(r.chunk(output, 4, " and more")) // its pod is still there
	w.remove(pod)
	code := http.StatusNoContent
	for begun := time.Now(); code == http.StatusNoContent && time.Since(begun) < reviewTTL/2; kit.Pause(t.Context(), endedTTL/10) {
		code, _ = r.chunk(output, 4, " and more")
	}
	if code != http.StatusForbidden && code != http.StatusUnauthorized {
		t.Errorf("its token still works when its pod is gone: %d", code)
	}
}

func TestTheTokenIsRefusedByTheAPIServer(t *testing.T) {
	w := newWorld(t)
	r := w.newPusher("smoke")
	config := rest.AnonymousClientConfig(apiserver.Config)
	config.BearerToken = r.token
	api, err := client.New(config, client.Options{Scheme: apiserver.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	run := &v1alpha1.TestRun{}
	if err := api.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "smoke"}, run); !apierrors.IsUnauthorized(err) {
		t.Errorf("reading its own run: %v", err)
	}
}

func TestARunThatIsDeletedCanStillBePushed(t *testing.T) {
	w := newWorld(t)
	w.reviewer.ttl = 0
	run := w.addRun(w.namespace, "smoke")
	r := w.pusherOf(run, 1, w.podOf(run, 1, nil))
	w.remove(run)
	code, message := r.chunk(output, 0, "text")
	if code != http.StatusServiceUnavailable || message != errUnknownRun.Error() {
		t.Errorf("before the watch has told of it: %d %q", code, message)
	}
	anew := w.addRun(w.namespace, "smoke") // which is another run
	w.watched(run)
	w.expect(http.StatusNoContent)(r.chunk(output, 0, "text"))
	if got := r.kept(output); got != "text" {
		t.Errorf("kept is %q", got)
	}
	of := &pusher{w, attemptOf(anew, 1), r.token}
	w.expect(http.StatusForbidden)(of.chunk(output, 0, "of another run"))
}

func TestReviewsOfMadeUpTokensAreBounded(t *testing.T) {
	w := newWorld(t)
	r := w.newPusher("smoke")
	w.reviewer.limit.SetBurst(3)
	w.reviewer.limit.SetLimit(0)
	for range 3 {
		r.token += "x"
		w.expect(http.StatusUnauthorized)(r.put(push.ProgressPath(r.attempt), []byte("{}")))
	}
	r.token += "x"
	w.expect(http.StatusTooManyRequests)(r.put(push.ProgressPath(r.attempt), []byte("{}")))
}

func TestAnAPIServerThatIsAwayIsNoDenial(t *testing.T) {
	w := newWorld(t)
	r := w.newPusher("smoke")
	var away atomic.Pointer[string]
	api, err := client.New(apiserver.Through(apiserver.Config, func(request *http.Request, next http.RoundTripper) (*http.Response, error) {
		if path := away.Load(); path != nil && strings.Contains(request.URL.Path, *path) {
			return apiserver.Refuse(request, http.StatusInternalServerError, metav1.StatusReasonInternalError, "etcd is away")
		}
		return next.RoundTrip(request)
	}), client.Options{Scheme: apiserver.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	w.reviewer = NewPodReviewer(api, w.store)
	w.start(changes{})
	for _, path := range []string{"/tokenreviews", "/pods/", "/testruns/"} {
		away.Store(&path)
		if code, message := r.chunk(output, 0, "text"); code != http.StatusServiceUnavailable || strings.Contains(message, "etcd") {
			t.Errorf("without %s: %d %q", path, code, message)
		}
	}
	away.Store(nil)
	w.expect(http.StatusNoContent)(r.chunk(output, 0, "text"))
}
