package security

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/testrun-dev/testrun/internal/archivestatus"
	"github.com/testrun-dev/testrun/test/apiserver"
)

const operatorNamespace = "testrun-system"

// watchAs starts a watcher of the archive's ConfigMap with the rights of that user. Its requests go through that. It returns what the watcher
// has been told, and its log.
func watchAs(t *testing.T, user string, through func(*http.Request)) (told <-chan archivestatus.Status, log <-chan string, watcher *archivestatus.Watcher) {
	t.Helper()
	config := apiserver.Through(apiserver.Config, func(request *http.Request, next http.RoundTripper) (*http.Response, error) {
		through(request)
		return next.RoundTrip(request)
	})
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:authenticated"}}
	client, err := rest.HTTPClientFor(config)
	must(t, err)
	statuses, lines := make(chan archivestatus.Status, 16), make(chan string, 16)
	logger := funcr.New(func(_, line string) { lines <- line }, funcr.Options{})
	watcher, err = archivestatus.NewWatcher(config, client, operatorNamespace, nil, logger)
	must(t, err)
	watcher.OnChange(func(status archivestatus.Status) { statuses <- status })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- watcher.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the watcher: %v", err)
		}
	})
	return statuses, lines, watcher
}

func atOnce(*http.Request) {}

// publish does what the server would, until the test ends.
func publish(t *testing.T, watermark string) *corev1.ConfigMap {
	t.Helper()
	status := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: archivestatus.ConfigMap},
		Data:       archivestatus.Status{Watermark: watermark}.Data(),
	}
	must(t, apiserver.Client.Create(t.Context(), status))
	t.Cleanup(func() { must(t, client.IgnoreNotFound(apiserver.Client.Delete(context.Background(), status))) })
	return status
}

func next[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case got := <-from:
		return got
	case <-almostOver(t):
		t.Fatalf("it did not happen: %s", what)
		panic("unreachable")
	}
}

func TestTheOperatorMayReadWhatTheArchiveSaysAndNoOtherConfigMap(t *testing.T) {
	installRoles(t)
	status := publish(t, "41")
	told, _, watcher := watchAs(t, operatorAccount, atOnce)
	if got := next(t, "the ConfigMap is read", told); got.Watermark != "41" || watcher.Status(t.Context()).Watermark != "41" {
		t.Errorf("the operator is told %+v", got)
	}
	status.Data[archivestatus.KeyWatermark] = "42"
	must(t, apiserver.Client.Update(t.Context(), status))
	if got := next(t, "the change is read", told); got.Watermark != "42" {
		t.Errorf("the operator is told %+v", got)
	}
	must(t, apiserver.Client.Delete(t.Context(), status))
	if got := next(t, "the deletion is seen", told); got.Watermark != "" {
		t.Errorf("the operator is told %+v", got)
	}

	operator := as(t, operatorAccount)
	for what, request := range map[string]func() error{
		"list all ConfigMaps of its namespace": func() error {
			return operator.List(t.Context(), &corev1.ConfigMapList{}, client.InNamespace(operatorNamespace))
		},
		"list the ConfigMap of that name elsewhere": func() error {
			return operator.List(t.Context(), &corev1.ConfigMapList{}, client.InNamespace("default"), client.MatchingFields{"metadata.name": archivestatus.ConfigMap})
		},
		"write it": func() error {
			return operator.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: archivestatus.ConfigMap}})
		},
		"read another": func() error {
			return operator.Get(t.Context(), client.ObjectKey{Namespace: operatorNamespace, Name: "kube-root-ca.crt"}, &corev1.ConfigMap{})
		},
	} {
		if err := request(); !apierrors.IsForbidden(err) {
			t.Errorf("the operator may %s: %v", what, err)
		}
	}
}

func TestAnOperatorThatMayNotReadTheConfigMapWorksOnAndSaysSoOnce(t *testing.T) {
	installRoles(t)
	_, log, watcher := watchAs(t, "nobody", atOnce)
	if status := watcher.Status(t.Context()); status.Watermark != "" || status.Pins != nil {
		t.Errorf("it knows %+v", status)
	}
	if said := next(t, "it says so", log); !strings.Contains(said, "could not be read") {
		t.Errorf("it says %s", said)
	}
	select {
	case said := <-log:
		t.Errorf("it also says %s", said)
	default:
	}
}

func TestTheFirstQuestionWaitsForTheFirstLook(t *testing.T) {
	installRoles(t)
	publish(t, "41")
	asked := make(chan struct{})
	_, _, watcher := watchAs(t, operatorAccount, func(request *http.Request) {
		select {
		case <-asked:
		case <-request.Context().Done():
		}
	})
	answer := make(chan archivestatus.Status)
	go func() {
		close(asked)
		answer <- watcher.Status(context.Background())
	}()
	if got := next(t, "the question is answered", answer); got.Watermark != "41" {
		t.Errorf("the answer is %+v", got)
	}
}
