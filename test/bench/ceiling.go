package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// startAPIServer starts a second API server and etcd, with nothing beside them that would touch a Job.
func startAPIServer(ctx context.Context) (c *cluster, stop func() error, err error) {
	environment := &envtest.Environment{
		BinaryAssetsDirectory: filepath.Join("bin", "k8s"),
		CRDDirectoryPaths:     []string{filepath.Join("config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	config, err := environment.Start()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("starting a second API server: %w", err), environment.Stop())
	}
	if c, err = newCluster(config); err == nil {
		err = c.letOperatorIn(ctx)
	}
	if err != nil {
		return nil, nil, errors.Join(err, environment.Stop())
	}
	return c, environment.Stop, nil
}

// letOperatorIn gives the operator the account and the rights that it is deployed with.
func (c *cluster) letOperatorIn(ctx context.Context) error {
	for _, file := range []string{
		"manager/namespace.yaml", "rbac/service_account.yaml", "rbac/role.yaml", "rbac/role_binding.yaml", "rbac/leader_election.yaml",
	} {
		content, err := os.ReadFile(filepath.Join("config", filepath.FromSlash(file)))
		if err != nil {
			return err
		}
		for _, document := range bytes.Split(content, []byte("\n---\n")) {
			obj := &unstructured.Unstructured{}
			if err := yaml.Unmarshal(document, &obj.Object); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			if err := c.Create(ctx, obj); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return nil
}

// ceiling is what is measured of the operator when everybody else is infinitely fast.
type ceiling struct {
	FinishedPerSecond float64 `json:"finishedPerSecond"`
	CPU               float64 `json:"operatorCPUMillisecondsPerRun"`
}

// ceiling has the operator work off runs that are there already, while a stand-in for the Job controller and the nodes ends each
// Job as soon as it exists. There are no pods.
func (b *bench) ceiling(ctx context.Context) (figures ceiling, err error) {
	namespace, err := b.bare.newNamespace(ctx, false)
	if err != nil {
		return figures, err
	}
	defer func() { err = errors.Join(err, b.bare.empty(context.WithoutCancel(ctx), namespace)) }()
	// Without a command there is no runner and no report, and so no pod that would have to be asked for one.
	template := simulatedPod(0)
	template.Spec.Containers[0].Command = nil
	all := load{kind: testRuns, runs: b.Runs, clients: b.Clients, template: template}
	if err := all.create(ctx, b.bare, namespace); err != nil {
		return figures, err
	}
	tracked, err := trackRuns(ctx, b.bare, namespace, b.Runs)
	defer tracked.stop()
	if err != nil {
		return figures, err
	}
	standIn, err := b.bare.finishJobs(ctx, namespace, b.Clients)
	if err != nil {
		return figures, err
	}
	defer standIn.Stop()

	operator, err := startManager(ctx, b.bare, b.manager, b.logFile())
	defer operator.stop()
	if err != nil {
		return figures, err
	}
	if b.profiles != "" {
		profiled := operator.profile(ctx, filepath.Join(b.profiles, "without-pods.pprof"))
		defer func() { err = errors.Join(err, profiled()) }()
	}
	if err := tracked.wait(ctx, b.Runs, patience); err != nil {
		return figures, fmt.Errorf("waiting for runs without pods: %w", err)
	}
	cpu, err := operator.cpu()
	if err != nil {
		return figures, err
	}
	seen := tracked.timelines()
	figures.FinishedPerSecond = finishedPerSecond(firstJob(seen), seen)
	figures.CPU = milliseconds(cpu) / float64(b.Runs)
	fmt.Printf("  %-10s %5d %-12s %6.1f/s\n", testRuns.name, b.Runs, "without pods:", figures.FinishedPerSecond)
	return figures, nil
}

func firstJob(runs []timeline) time.Time {
	first := runs[0].job
	for _, run := range runs {
		if run.job.Before(first) {
			first = run.job
		}
	}
	return first
}

// finishJobs is the stand-in: it writes that each Job has completed.
func (c *cluster) finishJobs(ctx context.Context, namespace string, clients int) (watch.Interface, error) {
	stream, err := c.follow(ctx, &batchv1.JobList{}, namespace)
	if err != nil {
		return nil, err
	}
	for range clients {
		go func() {
			for event := range stream.ResultChan() {
				if job, ok := event.Object.(*batchv1.Job); ok && event.Type == watch.Added {
					if err := c.finishJob(ctx, job); err != nil && ctx.Err() == nil {
						fmt.Fprintf(os.Stderr, "finishing Job %s: %v\n", job.Name, err)
					}
				}
			}
		}()
	}
	return stream, nil
}

func (c *cluster) finishJob(ctx context.Context, job *batchv1.Job) error {
	before := job.DeepCopy()
	now := metav1.Now()
	job.Status.StartTime, job.Status.CompletionTime, job.Status.Succeeded = &now, &now, 1
	for _, condition := range []batchv1.JobConditionType{batchv1.JobSuccessCriteriaMet, batchv1.JobComplete} {
		job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{
			Type: condition, Status: corev1.ConditionTrue, LastTransitionTime: now,
			Reason: batchv1.JobReasonCompletionsReached, Message: "Finished by the benchmark",
		})
	}
	return c.Status().Patch(ctx, job, client.MergeFrom(before))
}

// empty deletes what the runs left: without Kubernetes' controllers nobody else does.
func (c *cluster) empty(ctx context.Context, namespace string) error {
	return errors.Join(
		c.DeleteAllOf(ctx, &v1alpha1.TestRun{}, client.InNamespace(namespace)),
		c.DeleteAllOf(ctx, &batchv1.Job{}, client.InNamespace(namespace), client.PropagationPolicy(metav1.DeletePropagationBackground)),
	)
}
