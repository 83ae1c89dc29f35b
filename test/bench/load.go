package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/results"
)

// kind is what is created: TestRuns, or bare Jobs of the same pods.
type kind struct {
	name  string
	track func(ctx context.Context, c *cluster, namespace string, runs int) (*tracker, error)
	make  func(namespace, name string, template corev1.PodTemplateSpec) client.Object
	// prepare creates what all of them need; nil is nothing.
	prepare func(ctx context.Context, c *cluster, namespace string, template corev1.PodTemplateSpec) error
}

var (
	bareJobs = kind{
		name: "bare Jobs", track: trackJobs,
		make: func(namespace, name string, template corev1.PodTemplateSpec) client.Object {
			return newBareJob(namespace, name, template)
		},
	}
	testRuns = kind{
		name: "TestRuns", track: trackRuns,
		make: func(namespace, name string, template corev1.PodTemplateSpec) client.Object {
			return newRun(namespace, name, template)
		},
	}
	runsOfTest = kind{
		name: "TestRuns of a Test", track: trackRuns,
		make: func(namespace, name string, _ corev1.PodTemplateSpec) client.Object {
			return &v1alpha1.TestRun{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
				Spec:       v1alpha1.TestRunSpec{TestRef: &v1alpha1.TestReference{Name: testName}},
			}
		},
		prepare: func(ctx context.Context, c *cluster, namespace string, template corev1.PodTemplateSpec) error {
			return c.Create(ctx, &v1alpha1.Test{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: testName}, Spec: v1alpha1.TestSpec{Template: template},
			})
		},
	}
)

const testName = "suite"

func newRun(namespace, name string, template corev1.PodTemplateSpec) *v1alpha1.TestRun {
	return &v1alpha1.TestRun{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.TestRunSpec{TestSpec: &v1alpha1.TestSpec{Template: template}},
	}
}

func newBareJob(namespace, name string, template corev1.PodTemplateSpec) *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       batchv1.JobSpec{BackoffLimit: ptr.To[int32](0), Template: template},
	}
}

// simulatedPod runs for that long on a simulated node. It leaves the report of a runner that has read no cases, since nothing is executed.
func simulatedPod(duration time.Duration) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{
			"simulation.local/duration": duration.String(),
			"simulation.local/message":  string((&results.Report{Final: true}).Encode(4096)),
		}},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			NodeSelector:  map[string]string{"type": "kwok"},
			Tolerations:   []corev1.Toleration{{Key: "kwok.x-k8s.io/node", Operator: corev1.TolerationOpExists}},
			Containers:    []corev1.Container{{Name: "test", Image: "example.com/test:1", Command: []string{"/test"}}},
		},
	}
}

// load is how much is created, and how.
type load struct {
	kind     kind
	runs     int
	clients  int
	rate     float64 // a second; 0 is all at once
	template corev1.PodTemplateSpec
}

// create creates the runs.
func (l load) create(ctx context.Context, c client.Client, namespace string) error {
	limit := rate.Inf
	if l.rate > 0 {
		limit = rate.Limit(l.rate)
	}
	limiter := rate.NewLimiter(limit, 1)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(l.clients)
	for i := range l.runs {
		if err := limiter.Wait(ctx); err != nil {
			break // what the group says is the cause
		}
		group.Go(func() error {
			return c.Create(ctx, l.kind.make(namespace, fmt.Sprintf("r-%d", i), l.template))
		})
	}
	return group.Wait()
}
