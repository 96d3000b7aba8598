package dnsprovider_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"doorward/tls/acme/dnsprovider"
)

func TestAzure(t *testing.T) {
	z := newZone()
	base := serve(t, z.azure)
	o := dnsprovider.Options{
		Provider: dnsprovider.Azure, SubscriptionID: "sub", ResourceGroup: "group",
		TenantID: "tenant", ClientID: "app", ClientSecret: "s3cr3t", Base: base, Login: base,
	}
	exercise(t, provider(t, o), z)
	if n := strings.Count(strings.Join(z.seen, "\n"), "token"); n != 1 {
		t.Errorf("%d requests for a token, want one:\n%s", n, strings.Join(z.seen, "\n"))
	}
	o.ClientSecret = ""
	exercise(t, provider(t, o), z) // as the machine
	o.TokenFile = filepath.Join(t.TempDir(), "token")
	if _, err := provider(t, o).AppendRecords(context.Background(), "example.com.", text("x")); err == nil {
		t.Error("without the file of the token")
	}
	if err := os.WriteFile(o.TokenFile, []byte("t0ken\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	exercise(t, provider(t, o), z) // with a token of the platform
	o.TokenFile, o.ClientSecret = "", "wrong"
	_, err := provider(t, o).AppendRecords(context.Background(), "example.com.", text("x"))
	if err == nil || !strings.Contains(err.Error(), "invalid_client") ||
		strings.Contains(err.Error(), "wrong") {
		t.Errorf("a wrong secret: %v", err)
	}
	o.ClientSecret = "s3cr3t"
	_, err = provider(t, o).AppendRecords(context.Background(), "other.example.", text("x"))
	if err == nil || !strings.Contains(err.Error(), "ParentResourceNotFound") ||
		strings.Contains(err.Error(), "\n") {
		t.Errorf("a zone of somebody else: %v", err)
	}
}

// azure imitates what Azure answers, its sign-in among it.
func (z *zone) azure(w http.ResponseWriter, r *http.Request) {
	z.mu.Lock()
	defer z.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	z.note("%s %s", r.Method, r.URL)
	w.Header().Set("Content-Type", "application/json")
	refuse := func(status int, code string) {
		w.WriteHeader(status)
		if strings.HasSuffix(r.URL.Path, "/token") {
			fmt.Fprintf(w, `{"error": %q}`, code)
			return
		}
		fmt.Fprintf(w, `{"error": {"code": %q, "message": "in many words"}}`, code)
	}
	const name = "_acme-challenge.example.com"
	switch path := r.URL.Path; {
	case path == "/tenant/oauth2/v2.0/token" &&
		!strings.Contains(string(body), "client_secret=s3cr3t") &&
		!strings.Contains(string(body), "client_assertion=t0ken&"):
		refuse(http.StatusUnauthorized, "invalid_client")
	case strings.HasSuffix(path, "/token"):
		fmt.Fprint(w, `{"access_token": "T", "expires_in": "3599"}`)
	case r.Header.Get("Authorization") != "Bearer T":
		refuse(http.StatusUnauthorized, "InvalidAuthenticationToken")
	case !strings.Contains(path, "/subscriptions/sub/resourceGroups/group/") ||
		!strings.HasSuffix(path, "/dnsZones/example.com/TXT/_acme-challenge"):
		refuse(http.StatusNotFound, "ParentResourceNotFound")
	case r.Method == http.MethodPut && (r.Header.Get("If-None-Match") == "*") !=
		(len(z.texts[name]) == 0):
		refuse(http.StatusPreconditionFailed, "PreconditionFailed")
	case r.Method == http.MethodPut:
		var set struct {
			Properties struct{ TXTRecords []struct{ Value []string } }
		}
		_ = json.Unmarshal(body, &set)
		z.texts[name] = nil
		for _, record := range set.Properties.TXTRecords {
			z.texts[name] = append(z.texts[name], record.Value...)
		}
		fmt.Fprint(w, "{}")
	case r.Method == http.MethodDelete:
		z.texts[name] = nil
	case len(z.texts[name]) == 0:
		refuse(http.StatusNotFound, "NotFound")
	default:
		var records []string
		for _, text := range z.texts[name] {
			records = append(records, fmt.Sprintf(`{"value": [%q]}`, text))
		}
		fmt.Fprintf(w, `{"etag": "e", "properties": {"TXTRecords": [%s]}}`,
			strings.Join(records, ","))
	}
}
