package dnsprovider

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// audience is what tokens for Azure's management are for.
const audience = "https://management.azure.com"

// tokens gets Azure's access tokens: for an application with its secret (RFC 6749,
// section 4.4) or with a token of its platform in place of that (RFC 7523, section 2.2),
// or for the identity of this machine. Microsoft's own library does the same and, among
// its other ways, starts programs; nothing here does.
type tokens struct {
	o       Options
	machine *http.Client

	mu   sync.Mutex
	last azcore.AccessToken
}

// newTokens makes them. A machine's own address is behind no proxy.
func newTokens(o Options) *tokens { return &tokens{o: o, machine: newClient(nil)} }

// spare is how long before its end a token is replaced.
const spare = 5 * time.Minute

// GetToken implements azcore.TokenCredential.
func (t *tokens) GetToken(
	ctx context.Context, _ policy.TokenRequestOptions,
) (azcore.AccessToken, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Until(t.last.ExpiresOn) > spare {
		return t.last, nil
	}
	token, err := t.fresh(ctx)
	if err != nil {
		return azcore.AccessToken{}, fmt.Errorf("sign in to Azure: %w", err)
	}
	t.last = token
	return token, nil
}

func (t *tokens) fresh(ctx context.Context) (azcore.AccessToken, error) {
	client, request := t.o.Client, t.request
	if t.o.ClientSecret == "" && t.o.TokenFile == "" {
		client, request = t.machine, t.machineRequest
	}
	r, err := request(ctx)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	return ask(client, r)
}

func (t *tokens) request(ctx context.Context) (*http.Request, error) {
	form := url.Values{
		"grant_type": {"client_credentials"}, "scope": {audience + "/.default"},
		"client_id": {t.o.ClientID},
	}
	if t.o.TokenFile == "" {
		form.Set("client_secret", t.o.ClientSecret)
	} else {
		token, err := os.ReadFile(t.o.TokenFile)
		if err != nil {
			return nil, err
		}
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", strings.TrimSpace(string(token)))
	}
	base := cmp.Or(t.o.Login, "https://login.microsoftonline.com")
	to := base + "/" + url.PathEscape(t.o.TenantID) + "/oauth2/v2.0/token"
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to,
		strings.NewReader(form.Encode()))
	if err == nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r, err
}

// machineRequest asks the service that each machine in Azure has at an address of its
// own.
func (t *tokens) machineRequest(ctx context.Context) (*http.Request, error) {
	base := cmp.Or(t.o.Login, "http://169.254.169.254")
	query := url.Values{"api-version": {"2018-02-01"}, "resource": {audience + "/"}}
	if t.o.ClientID != "" {
		query.Set("client_id", t.o.ClientID)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet,
		base+"/metadata/identity/oauth2/token?"+query.Encode(), nil)
	if err == nil {
		r.Header.Set("Metadata", "true")
	}
	return r, err
}

// longestToken bounds the answer to a request for a token.
const longestToken = 64 << 10

func ask(client *http.Client, r *http.Request) (azcore.AccessToken, error) {
	var none azcore.AccessToken
	answer, err := client.Do(r)
	if err != nil {
		return none, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, longestToken))
	if err != nil {
		return none, err
	}
	var said struct {
		Token   string          `json:"access_token"`
		Expires json.RawMessage `json:"expires_in"` // a number, or one in quotes
		Error   string          `json:"error"`
	}
	err = json.Unmarshal(text, &said)
	switch {
	case answer.StatusCode != http.StatusOK && said.Error != "":
		return none, errors.New(said.Error)
	case answer.StatusCode != http.StatusOK || err != nil || said.Token == "":
		return none, errors.New("the answer has status " + answer.Status + " and no token")
	}
	seconds, err := strconv.Atoi(strings.Trim(string(said.Expires), `"`))
	if err != nil {
		return none, errors.New("the token does not say when it ends")
	}
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	return azcore.AccessToken{Token: said.Token, ExpiresOn: end}, nil
}
