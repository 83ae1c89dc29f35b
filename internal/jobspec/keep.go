package jobspec

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// kept is what a further attempt is rendered from. It is kept on the Job, because the Test and the repeated run may change or be deleted,
// and others may change the Job itself: see docs/decisions/retries.md. A run with a definition of its own needs none.
type kept struct {
	// Asked is what the repeated run asked for; nil for a run that repeats none.
	Asked *v1alpha1.TestRunSpec `json:"asked,omitempty"`
	// Test is the spec of the Test; nil if the repeated run had a definition of its own.
	Test *v1alpha1.TestSpec `json:"test,omitempty"`
}

const (
	// keptPrefix names the encoding: base64 of deflated JSON, with keptDictionary.
	keptPrefix = "1:"
	// digestPrefix marks the hash of a definition that is too large to be kept.
	digestPrefix = "sha256:"

	// maxKept bounds the annotation. All annotations of an object together may have 256 KiB.
	maxKept = 64 << 10
	// maxKeptJSON and maxKeptValues bound what the annotation may unpack to: a few bytes of JSON become a large struct.
	maxKeptJSON   = 1 << 20
	maxKeptValues = 20000
)

// keptDictionary is the dictionary of the compression: what most definitions have in common, with the most common last. It halves the size
// of what is kept. Another dictionary needs another keptPrefix.
const keptDictionary = `"results":{"format":"JUnit","path":"},"retention":{"keep":{"ttl":"},"concurrency":{"key":","queue":","priority":"required":true,"default":","enum":["` +
	`"kueue.x-k8s.io/queue-name":"annotations":{"nodeSelector":{"tolerations":[{"key":"effect":"NoSchedule"},"serviceAccountName":"imagePullSecrets":[{"name":"initContainers":[{"name":"` +
	`"valueFrom":{"secretKeyRef":{"key":"configMapKeyRef":{"key":"emptyDir":{}},{"name":","configMap":{"name":","secret":{"secretName":"volumes":[{"name":"volumeMounts":[{"name":","mountPath":"/` +
	`"terminationGracePeriodSeconds":30,"runAsUser":1000,"runAsNonRoot":true,"seccompProfile":{"type":"RuntimeDefault"}}},"readOnlyRootFilesystem":true,` +
	`"retry":{"failure":1,"disruption":"backoff":{"base":"exitCodes":{"infrastructure":[75]}}"params":[{"name":"timeouts":{"start":"10m0s","run":"1h0m0s"},` +
	`"limits":{"cpu":"memory":"128Mi"},"requests":{"cpu":"100m","memory":"64Mi"}},"env":[{"name":"","value":"` +
	`"securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}},"imagePullPolicy":"IfNotPresent","args":["` +
	`{"asked":{"testRef":{"name":"{"test":{"template":{"metadata":{"labels":{"},"spec":{"containers":[{"name":"test","image":"docker.io/","command":["sh","-c","],"resources":{}}]}}}}`

var errTooLarge = errors.New("it is too large")

// keep returns what a further attempt needs to know beside the run itself, as an annotation; empty if it needs nothing.
func keep(request Request, def Definition) string {
	if request.Run.Spec.TestSpec != nil || def.Retry.Failure == 0 && def.Retry.Disruption == 0 {
		return ""
	}
	encoded := keptOf(request).json()
	if annotation, err := deflate(encoded); err == nil {
		return annotation
	}
	return digest(encoded)
}

func keptOf(r Request) kept {
	var k kept
	if r.Run.Spec.RerunOf != nil {
		asked := r.Asked
		k.Asked = &v1alpha1.TestRunSpec{
			TestRef: asked.TestRef, TestSpec: asked.TestSpec, Params: asked.Params, Timeouts: asked.Timeouts, Retry: asked.Retry,
			Queue: asked.Queue, Priority: asked.Priority, Concurrency: asked.Concurrency,
		}
	}
	if r.Test != nil {
		spec := r.Test.Spec // without description and retention, which no attempt needs
		spec.Description, spec.Retention = "", v1alpha1.Retention{}
		k.Test = &spec
	}
	return k
}

func (k kept) json() []byte {
	encoded, err := json.Marshal(k)
	if err != nil {
		panic(err) // it was read from JSON
	}
	return encoded
}

func digest(encoded []byte) string {
	sum := sha256.Sum256(encoded)
	return digestPrefix + hex.EncodeToString(sum[:])
}

// IsDigest says whether the Job keeps only the hash of the definition.
func (r Record) IsDigest() bool { return strings.HasPrefix(r.Definition, digestPrefix) }

// IsDigestOf says whether the hash that the Job keeps is that of the request as it is now.
func (r Record) IsDigestOf(now Request) bool { return digest(keptOf(now).json()) == r.Definition }

var deflaters = sync.Pool{New: func() any {
	writer, err := flate.NewWriterDict(nil, flate.DefaultCompression, []byte(keptDictionary))
	if err != nil {
		panic(err) // the level is a constant
	}
	return writer
}}

// deflate packs a definition so that inflate can read it. The error is errTooLarge if it exceeds the bounds.
func deflate(encoded []byte) (string, error) {
	if err := boundKept(encoded); err != nil {
		return "", err
	}
	annotation := pack(encoded)
	if len(annotation) > maxKept {
		return "", errTooLarge
	}
	return annotation, nil
}

func pack(encoded []byte) string {
	var annotation strings.Builder
	annotation.WriteString(keptPrefix)
	text := base64.NewEncoder(base64.RawStdEncoding, &annotation)
	writer := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(writer)
	writer.Reset(text)
	_, err := writer.Write(encoded)
	if err := errors.Join(err, writer.Close(), text.Close()); err != nil {
		panic(err) // it writes to memory
	}
	return annotation.String()
}

// inflate reads what deflate wrote. It does not trust the annotation: whoever may change the Job can change it. See
// docs/decisions/trust.md.
func inflate(annotation string) (k kept, err error) {
	packed, ok := strings.CutPrefix(annotation, keptPrefix)
	if !ok || len(annotation) > maxKept {
		return k, errors.New("it is not what the operator wrote")
	}
	reader := flate.NewReaderDict(base64.NewDecoder(base64.RawStdEncoding, strings.NewReader(packed)), []byte(keptDictionary))
	encoded, err := io.ReadAll(io.LimitReader(reader, maxKeptJSON+1))
	if err == nil {
		err = boundKept(encoded)
	}
	if err == nil {
		err = json.Unmarshal(encoded, &k)
	}
	return k, err
}

func boundKept(encoded []byte) error {
	if len(encoded) > maxKeptJSON || bytes.Count(encoded, []byte(",")) > maxKeptValues {
		return errTooLarge
	}
	return nil
}

// RequestKept is the request from which the last attempt was rendered, as its Job keeps it.
func RequestKept(run *v1alpha1.TestRun, last Record) (Request, error) {
	request := Request{Run: run, Asked: run.Spec}
	if run.Spec.TestSpec != nil {
		return request, nil
	}
	k, err := inflate(last.Definition)
	if err != nil {
		return Request{}, err
	}
	if run.Spec.RerunOf != nil && k.Asked != nil {
		request.Asked = *k.Asked
	}
	if request.Asked.TestRef != nil && k.Test != nil {
		request.Test = &v1alpha1.Test{ObjectMeta: metav1.ObjectMeta{Name: request.Asked.TestRef.Name, Generation: last.TestGeneration}, Spec: *k.Test}
	}
	return request, mayRun(request)
}

// mayRun returns why no Job can be rendered; nil if one can. The API server has checked what it stores, but not what an annotation holds.
func mayRun(request Request) error {
	if !request.HasDefinition() {
		return errors.New("it holds no test")
	}
	def := request.Definition()
	if len(def.Spec.Template.Spec.Containers) == 0 {
		return errors.New("it holds no container")
	}
	return def.Err
}
