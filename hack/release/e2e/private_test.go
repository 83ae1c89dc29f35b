package e2e

import (
	"archive/tar"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"debug/elf"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// remoteOptions are those of somebody who has logged in, and trusts the registry's CA.
func remoteOptions(t *testing.T) []remote.Option {
	t.Helper()
	ca, err := os.ReadFile(shop.caFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return []remote.Option{
		remote.WithContext(t.Context()), remote.WithAuth(&authn.Basic{Username: user, Password: password}),
		remote.WithTransport(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}),
	}
}

func reference(t *testing.T, repository string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(shop.host + "/testrun/" + repository)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// privateRun is a run whose test, and its runner, come from the registry.
const privateRun = `
apiVersion: testrun.dev/v1alpha1
kind: TestRun
metadata: {name: private}
spec:
  testSpec:
    template:
      spec:
        %s
        containers:
        - name: test
          image: %s
          command: [sh, -c, "echo 1..1; echo ok 1"]
`

const withSecret = "imagePullSecrets: [{name: registry}]"

func (p *place) createSecret(namespace, secret string) {
	p.t.Helper()
	p.must("kubectl", "-n", namespace, "create", "secret", "docker-registry", "registry",
		"--docker-server="+shop.host, "--docker-username="+user, "--docker-password="+secret)
}

// anotherPerl is the image of Perl under an ID of its own. The kubelet remembers by ID which images need a password, and other tests use
// the one that is on the node.
func anotherPerl(t *testing.T) v1.Image {
	t.Helper()
	perl, err := tarball.ImageFromPath(fromRoot("bin", "images", "perl.tar"), nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := perl.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config.Config.Labels = map[string]string{"visibility": "private"}
	if perl, err = mutate.ConfigFile(perl, config); err != nil {
		t.Fatal(err)
	}
	return perl
}

func TestAPrivateRegistryServesWhoeverHasItsPassword(t *testing.T) {
	fromNothing(t, true)
	image := reference(t, "perl:5")
	if err := remote.Write(image, anotherPerl(t), remoteOptions(t)...); err != nil {
		t.Fatal(err)
	}

	right := newPlace(t, "with-password")
	right.createSecret(right.namespace, password)
	install := []string{
		"install", "testrun", "oci://" + shop.host + "/testrun/charts/testrun", "--version", strings.TrimPrefix(shop.version, "v"),
		"--namespace", "testrun-system", "--create-namespace", "--wait", "--timeout", "90s", "--set", "imagePullSecrets[0].name=registry",
	}
	if out, err := command([]string{"KUBECONFIG=" + right.kubeconfig}, "helm", install...); err == nil || !strings.Contains(out, "credential not found") {
		t.Errorf("without a password helm says %v\n%s\nwant it refused", err, out)
	}
	right.must("helm", "registry", "login", shop.host, "--username", user, "--password", password)
	right.must("kubectl", "create", "namespace", "testrun-system")
	right.createSecret("testrun-system", password)
	right.must("helm", install...)
	right.expectPulled("testrun-system", "app.kubernetes.io/component=controller-manager", "manager", digestOf(t, "manager"))
	right.apply(fmt.Sprintf(privateRun, withSecret, image))
	right.must("kubectl", "wait", "--for=jsonpath={.status.verdict}=Passed", "--timeout=90s", "testrun/private")

	// The images are on the node now. Whoever has no password may not use them all the same.
	wrong, none := newPlace(t, "wrong-password"), newPlace(t, "no-password")
	wrong.createSecret(wrong.namespace, "wrong")
	wrong.apply(fmt.Sprintf(privateRun, withSecret, image))
	none.apply(fmt.Sprintf(privateRun, "", image))
	for p, refusal := range map[*place]string{wrong: "401 Unauthorized", none: "no basic auth credentials"} {
		message := p.waitForText([]string{"ImagePullFailed", image.String(), refusal}, "kubectl", "get", "testrun", "private",
			"-o", `jsonpath={range .status.conditions[?(@.status=="True")]}{.reason}: {.message}{"\n"}{end}`)
		t.Logf("in %s: %s", p.namespace, message)
	}
}

func TestTheRegistryHasEachProgramForBothArchitectures(t *testing.T) {
	for program := range strings.FieldsSeq(programs(t)) {
		for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
			options := append(remoteOptions(t), remote.WithPlatform(v1.Platform{OS: "linux", Architecture: arch}))
			image, err := remote.Image(reference(t, program+":"+shop.version), options...)
			if err != nil {
				t.Fatal(err)
			}
			files := tar.NewReader(mutate.Extract(image))
			header, err := files.Next()
			if err != nil {
				t.Fatal(err)
			}
			binary, err := io.ReadAll(files)
			if err != nil {
				t.Fatal(err)
			}
			file, err := elf.NewFile(bytes.NewReader(binary))
			if err != nil || header.Name != program || file.Machine != machine {
				t.Errorf("for %s the image of the %s holds %s, %v (%v)", arch, program, header.Name, file.Machine, err)
			}
		}
	}
}

// programs are those that the Makefile names.
func programs(t *testing.T) string {
	t.Helper()
	out, err := command(nil, "make", "-s", "release-programs")
	if err != nil {
		t.Fatal(err)
	}
	return out
}
