package alerts

import (
	"slices"
	"testing"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
)

func TestCertManagerReadsTheCertificate(t *testing.T) {
	certificate := &certmanagerv1.Certificate{}
	decode(t, "Certificate", "testrun-server", certificate)
	spec := certificate.Spec
	if spec.IssuerRef.Kind != "ClusterIssuer" || spec.IssuerRef.Name != "ours" || spec.SecretName != "testrun-server-tls" {
		t.Errorf("it is read as %+v", spec)
	}
	// The runners of tests trust the key.
	if spec.PrivateKey == nil || spec.PrivateKey.RotationPolicy != certmanagerv1.RotationPolicyNever || spec.PrivateKey.Algorithm != certmanagerv1.ECDSAKeyAlgorithm {
		t.Errorf("its key is %+v, want one that stays", spec.PrivateKey)
	}
	if names := []string{"testrun-server.testrun-system.svc", "testrun-push.testrun-system.svc", "tests.example.com"}; !slices.Equal(spec.DNSNames, names) {
		t.Errorf("it is for %v, want %v", spec.DNSNames, names)
	}
}
