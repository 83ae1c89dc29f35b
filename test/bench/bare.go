package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	appsv1 "k8s.io/api/apps/v1"
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
		c.etcd = etcd(environment.ControlPlane.Etcd.URL.String())
		err = errors.Join(c.letOperatorIn(ctx), c.readManagerArgs())
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

// readManagerArgs takes the operator's flags from where it would be deployed from.
func (c *cluster) readManagerArgs() error {
	file := filepath.Join("config", "manager", "deployment.yaml")
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	deployment := &appsv1.Deployment{}
	if err := yaml.UnmarshalStrict(content, deployment); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	c.managerArgs = deployment.Spec.Template.Spec.Containers[0].Args
	return nil
}

// newcomers are runs in a namespace of their own. A stand-in for the Job controller and the nodes makes the pod of each Job as soon
// as that exists, and ends it in the same breath.
type newcomers struct {
	cluster   *cluster
	namespace string
	tracked   *tracker
	standIn   watch.Interface
}

// newcomers prepares for so many runs. They are yet to be created.
func (c *cluster) newcomers(ctx context.Context, runs, clients int) (*newcomers, error) {
	namespace, err := c.newNamespace(ctx, false)
	if err != nil {
		return nil, err
	}
	tracked, err := trackRuns(ctx, c, namespace, runs)
	if err != nil {
		tracked.stop()
		return nil, err
	}
	standIn, err := c.passJobs(ctx, namespace, clients)
	if err != nil {
		tracked.stop()
		return nil, err
	}
	return &newcomers{c, namespace, tracked, standIn}, nil
}

// remove ends the watches and deletes what the runs left: without Kubernetes' controllers nobody else does.
func (n *newcomers) remove(ctx context.Context) error {
	n.tracked.stop()
	n.standIn.Stop()
	return errors.Join(
		n.cluster.DeleteAllOf(ctx, &v1alpha1.TestRun{}, client.InNamespace(n.namespace)),
		n.cluster.DeleteAllOf(ctx, &batchv1.Job{}, client.InNamespace(n.namespace), client.PropagationPolicy(metav1.DeletePropagationBackground)),
		n.cluster.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(n.namespace), client.GracePeriodSeconds(0)),
	)
}

// withoutReport is a pod template without a command. So there is no runner, and no report that the stand-in would have to write.
func withoutReport() corev1.PodTemplateSpec {
	template := simulatedPod(0)
	template.Spec.Containers[0].Command = nil
	return template
}

// passJobs is the stand-in.
func (c *cluster) passJobs(ctx context.Context, namespace string, clients int) (watch.Interface, error) {
	stream, err := c.follow(ctx, &batchv1.JobList{}, namespace)
	if err != nil {
		return nil, err
	}
	for range clients {
		go func() {
			for event := range stream.ResultChan() {
				if job, ok := event.Object.(*batchv1.Job); ok && event.Type == watch.Added {
					if err := c.pass(ctx, job); err != nil && ctx.Err() == nil {
						fmt.Fprintf(os.Stderr, "passing the test of Job %s: %v\n", job.Name, err)
					}
				}
			}
		}()
	}
	return stream, nil
}
