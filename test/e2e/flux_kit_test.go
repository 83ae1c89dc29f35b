package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// The tests that use this are about Flux itself, which `make test-flux` runs in the local cluster.

const (
	externalArtifact = "source.toolkit.fluxcd.io/v1, ExternalArtifact"
	kustomization    = "kustomize.toolkit.fluxcd.io/v1, Kustomization"
	// source is the name of the artifact from which Flux applies.
	source = "repository"
	// requestedAt on an object of Flux has it looked after at once.
	requestedAt = "reconcile.fluxcd.io/requestedAt"
)

// fluxWorld is a namespace with a repository, from which Flux applies to it.
type fluxWorld struct {
	*world
	files     map[string]string
	address   string
	mu        sync.Mutex
	artifacts map[string][]byte // by the path at which they are served
}

// inFlux makes an empty repository. What is committed to it the test itself serves to Flux, as a controller of sources does.
func inFlux(w *world) *fluxWorld {
	w.T.Helper()
	list := &unstructured.UnstructuredList{}
	list.SetAPIVersion("kustomize.toolkit.fluxcd.io/v1")
	list.SetKind("KustomizationList")
	err := w.Client.List(w.Ctx, list)
	if meta.IsNoMatchError(err) {
		w.T.Skip("there is no Flux in the cluster: make test-flux runs these tests")
	}
	w.Must(err)
	f := &fluxWorld{world: w, files: map[string]string{}, artifacts: map[string][]byte{}}
	f.serve()
	f.create(externalArtifact, source, map[string]any{})
	return f
}

// serve serves the artifacts at an address of the node, which pods reach.
func (f *fluxWorld) serve() {
	f.T.Helper()
	nodes, err := cluster.clientset.CoreV1().Nodes().List(f.Ctx, metav1.ListOptions{LabelSelector: "type!=kwok"})
	f.Must(err)
	at := slices.IndexFunc(nodes.Items[0].Status.Addresses, func(each corev1.NodeAddress) bool { return each.Type == corev1.NodeInternalIP })
	listener, err := (&net.ListenConfig{}).Listen(f.Ctx, "tcp", net.JoinHostPort(nodes.Items[0].Status.Addresses[at].Address, "0"))
	f.Must(err)
	f.address = listener.Addr().String()
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		f.mu.Lock()
		artifact, ok := f.artifacts[request.URL.Path]
		f.mu.Unlock()
		if !ok {
			http.NotFound(w, request)
			return
		}
		_, _ = w.Write(artifact)
	})}
	go func() { _ = server.Serve(listener) }()
	f.T.Cleanup(func() { _ = server.Close() })
}

// commit writes the files, removes those without text, and tells Flux of it all.
func (f *fluxWorld) commit(files map[string]string) (revision string) {
	f.T.Helper()
	maps.Copy(f.files, files)
	maps.DeleteFunc(f.files, func(_, text string) bool { return text == "" })
	artifact := f.archive()
	digest := fmt.Sprintf("%x", sha256.Sum256(artifact))
	path := "/" + digest + ".tar.gz"
	f.mu.Lock()
	f.artifacts[path] = artifact
	f.mu.Unlock()
	object := f.fluxObject(externalArtifact, source)
	f.Must(f.Client.Get(f.Ctx, client.ObjectKeyFromObject(object), object))
	revision = "main@sha1:" + digest[:40]
	object.Object["status"] = map[string]any{
		"artifact": map[string]any{
			"path": path, "url": "http://" + f.address + path, "revision": revision, "digest": "sha256:" + digest,
			"lastUpdateTime": time.Now().UTC().Format(time.RFC3339), "size": int64(len(artifact)),
		},
		"conditions": []any{map[string]any{
			"type": "Ready", "status": "True", "reason": "Succeeded", "message": "stored", "lastTransitionTime": time.Now().UTC().Format(time.RFC3339),
		}},
	}
	f.Must(f.Client.Status().Update(f.Ctx, object))
	return revision
}

// archive packs the files as a controller of sources does.
func (f *fluxWorld) archive() []byte {
	f.T.Helper()
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zipped)
	for _, name := range slices.Sorted(maps.Keys(f.files)) {
		f.Must(archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(f.files[name]))}))
		_, err := archive.Write([]byte(f.files[name]))
		f.Must(err)
	}
	f.Must(archive.Close())
	f.Must(zipped.Close())
	return packed.Bytes()
}

// lookNow has Flux look after the object now.
func (f *fluxWorld) lookNow(kind, name string) {
	f.T.Helper()
	patch := fmt.Sprintf(`{"metadata": {"annotations": {%q: %q}}}`, requestedAt, time.Now().Format(time.RFC3339Nano))
	f.Must(f.Client.Patch(f.Ctx, f.fluxObject(kind, name), client.RawPatch(types.MergePatchType, []byte(patch))))
}

// apply has Flux apply a folder of the repository to the namespace, and wait for the health of what it has applied.
func (f *fluxWorld) apply(name string, change ...func(spec map[string]any)) {
	f.T.Helper()
	spec := map[string]any{
		"path": "./" + name, "targetNamespace": f.Namespace, "prune": true, "wait": true, "timeout": "2m", "interval": "10m", "retryInterval": "5s",
		"sourceRef": map[string]any{"kind": "ExternalArtifact", "name": source},
	}
	for _, change := range change {
		change(spec)
	}
	f.create(kustomization, name, spec)
}

// dependingOn has a Kustomization wait until that one is ready.
func dependingOn(name string) func(spec map[string]any) {
	return func(spec map[string]any) { spec["dependsOn"] = []any{map[string]any{"name": name}} }
}

func (f *fluxWorld) fluxObject(kind, name string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	version, kind, _ := strings.Cut(kind, ", ")
	object.SetAPIVersion(version)
	object.SetKind(kind)
	object.SetNamespace(f.Namespace)
	object.SetName(name)
	return object
}

// create makes an object of Flux, and removes it before the test's namespace goes: only Flux removes what it looks after.
func (f *fluxWorld) create(kind, name string, spec map[string]any) {
	f.T.Helper()
	object := f.fluxObject(kind, name)
	object.Object["spec"] = spec
	f.Create(object)
	f.T.Cleanup(func() { _ = f.Client.Delete(context.Background(), object) })
}

// readiness is what Flux says of a Kustomization.
type readiness struct{ revision, attempted, ready, reason, message string }

func (f *fluxWorld) readiness(name string) readiness {
	f.T.Helper()
	object := f.fluxObject(kustomization, name)
	f.Must(f.Client.Get(f.Ctx, client.ObjectKeyFromObject(object), object))
	var status struct {
		Conditions            []metav1.Condition `json:"conditions"`
		LastAppliedRevision   string             `json:"lastAppliedRevision"`
		LastAttemptedRevision string             `json:"lastAttemptedRevision"`
	}
	content, _, _ := unstructured.NestedMap(object.Object, "status")
	f.Must(runtime.DefaultUnstructuredConverter.FromUnstructured(content, &status))
	found := readiness{revision: status.LastAppliedRevision, attempted: status.LastAttemptedRevision}
	if condition := meta.FindStatusCondition(status.Conditions, "Ready"); condition != nil {
		found.ready, found.reason, found.message = string(condition.Status), condition.Reason, condition.Message
	}
	return found
}

// waitForReady waits until Flux has applied the commit, and found all of it healthy.
func (f *fluxWorld) waitForReady(name, revision string) {
	f.T.Helper()
	var last readiness
	defer func() {
		if f.T.Failed() {
			f.T.Logf("Kustomization %s: %+v", name, last)
		}
	}()
	f.WaitFor("Kustomization "+name+" is ready at "+revision, func() bool {
		last = f.readiness(name)
		return last.ready == "True" && last.revision == revision
	})
}

// waitForNotReady waits until Flux has tried the commit and says why it is not ready, with each of the quotes.
func (f *fluxWorld) waitForNotReady(name, revision, reason string, quotes ...string) {
	f.T.Helper()
	var last readiness
	defer func() {
		if f.T.Failed() {
			f.T.Logf("Kustomization %s: %+v", name, last)
		}
	}()
	f.WaitFor("Kustomization "+name+" is not ready at "+revision+", "+reason, func() bool {
		last = f.readiness(name)
		return last.ready == "False" && last.reason == reason && (revision == "" || last.attempted == revision)
	})
	for _, quote := range quotes {
		if !strings.Contains(last.message, quote) {
			f.T.Errorf("Flux says %q of Kustomization %s, want %q in it", last.message, name, quote)
		}
	}
}

// lookAgain has Flux apply the Kustomization again, and waits until it has done so.
func (f *fluxWorld) lookAgain(name string) {
	f.T.Helper()
	f.lookNow(kustomization, name)
	f.WaitFor("Flux has looked after Kustomization "+name, func() bool {
		object := f.fluxObject(kustomization, name)
		f.Must(f.Client.Get(f.Ctx, client.ObjectKeyFromObject(object), object))
		handled, _, _ := unstructured.NestedString(object.Object, "status", "lastHandledReconcileAt")
		now := f.readiness(name)
		return handled == object.GetAnnotations()[requestedAt] && now.ready != "Unknown"
	})
}

// exists reports whether there is a run of that name.
func (f *fluxWorld) exists(run string) bool {
	f.T.Helper()
	err := f.Client.Get(f.Ctx, f.Key(run), &v1alpha1.TestRun{})
	if !apierrors.IsNotFound(err) {
		f.Must(err)
	}
	return err == nil
}

// runFile is a run as people have it in git: a shell script, and the rest of its metadata and spec.
func runFile(name, script, annotations, spec string) string {
	return fmt.Sprintf(`apiVersion: testrun.dev/v1alpha1
kind: TestRun
metadata:
  name: %s
  annotations: {%s}
spec:
  %s
  testSpec:
    template: {spec: {containers: [{name: test, image: "perl:5-slim", command: [sh, -c, %q], ports: [{containerPort: 8080}]}]}}
`, name, annotations, spec, script)
}
