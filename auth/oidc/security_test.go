package oidc_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	jose "github.com/go-jose/go-jose/v4"

	"doorward/auth/oidc"
)

// TestSecurity holds the attack cases that this package answers, by their id.
func TestSecurity(t *testing.T) {
	for name, run := range map[string]func(*testing.T){
		"OIDC-01 a callback without a code asks nobody": noCode,
		"OIDC-08 nonce":                                    otherNonce,
		"OIDC-08 two nonces":                               twoNonces,
		"OIDC-09 a code that the provider refuses":         refusedCode,
		"OIDC-10 the answer of another provider":           mixUp,
		"OIDC-10 an issuer is promised and missing":        promisedIssuer,
		"OIDC-13 keys in the header":                       headerKeys,
		"OIDC-14 10,000 random key ids":                    randomKeyIDs,
		"OIDC-14 key ids that mislead":                     misleadingKeyIDs,
		"OIDC-14 keys that may not sign":                   uselessKeys,
		"OIDC-15 algorithms and forms":                     wrongForms,
		"OIDC-16 issuer":                                   wrongIssuers,
		"OIDC-18 audience":                                 wrongAudiences,
		"OIDC-19 authorized party":                         wrongParties,
		"OIDC-21 access token as ID token":                 accessAsID,
		"OIDC-21 access token of another sign-in":          accessTokenSwap,
		"OIDC-24 addresses that deceive":                   deceivingAddresses,
		"OIDC-26 groups of other types":                    groupTypes,
		"OIDC-27 userinfo of another subject":              userinfoSwap,
		"OIDC-28 disabled account":                         disabledAccount,
		"OIDC-29 outage at start and later":                outage,
		"OIDC-29 answers without end":                      endless,
		"OIDC-29 answers that never come":                  hanging,
		"OIDC-30 key rotation":                             keyRotation,
		"OIDC-30 a removed key":                            removedKey,
		"OIDC-31 discovery that leads elsewhere":           leadingElsewhere,
		"OIDC-32 error text of the provider":               errorText,
		"OIDC-33 parameters twice, or both code and error": doubledParameters,
		"OIDC-35 no secret in errors and logs":             noSecrets,
		"OIDC-36 another subject at refresh":               refreshSwap,
		"SSRF-03 redirects":                                redirects,
		"TIME-02 a minute of skew":                         clockSkew,
		"TIME-03 a clock of 1970":                          oldClock,
		"TIME-05 an end beyond all time":                   farEnd,
	} {
		t.Run(name, run)
	}
}

func noCode(t *testing.T) {
	on(t, nil, func(b *bench) {
		for _, q := range []string{"", "state=x", "code=", "state=", "error=", "code=&error="} {
			values, err := url.ParseQuery(q)
			if err != nil {
				b.Fatal(err)
			}
			c := callback()
			c.Query = values
			_, err = b.Exchange(b.Context(), c)
			checkError(b.T, err, oidc.ErrInvalid, "neither")
		}
		for _, c := range []oidc.Callback{{}, {Query: callback().Query},
			{Query: callback().Query, Nonce: nonce}} {
			_, err := b.Exchange(b.Context(), c)
			checkError(b.T, err, oidc.ErrInvalid, "")
		}
		if b.count("/token") != 0 {
			b.Error("the token endpoint was asked")
		}
	})
}

func otherNonce(t *testing.T) {
	for _, value := range []any{nil, "", "other", nonce + " ", strings.ToUpper(nonce)} {
		on(t, nil, func(b *bench) {
			b.claims["nonce"] = value
			b.mustFail(oidc.ErrInvalid, "nonce")
		})
	}
	for _, value := range []any{[]string{nonce}, 1} {
		on(t, nil, func(b *bench) {
			b.claims["nonce"] = value
			b.mustFail(oidc.ErrInvalid, "form of the token")
		})
	}
}

func twoNonces(t *testing.T) {
	for _, pattern := range []string{`{"nonce":"other",%s`, `{"\u006eonce":"other",%s`} {
		on(t, nil, func(b *bench) {
			text, err := json.Marshal(b.goodClaims())
			if err != nil {
				b.Fatal(err)
			}
			b.idToken = b.sign(fmt.Sprintf(pattern, text[1:]))
			b.mustFail(oidc.ErrInvalid, "twice")
		})
	}
	on(t, nil, func(b *bench) {
		// A name in other letters is another name.
		b.claims = map[string]any{"nonce": nil, "NONCE": nonce}
		b.mustFail(oidc.ErrInvalid, "nonce")
	})
}

func refusedCode(t *testing.T) {
	on(t, nil, func(b *bench) {
		b.page("/token", refusing(http.StatusBadRequest, map[string]string{
			"error": "invalid_grant", "error_description": "PKCE mismatch",
		}))
		_, err := b.signIn()
		var refused *oidc.CallbackError
		if !errors.As(err, &refused) || refused.Code != "invalid_grant" ||
			refused.Description != "PKCE mismatch" || refused.Hint == "" {
			b.Errorf("the error is %#v", err)
		}
		if n := b.count("/token"); n != 1 {
			b.Errorf("the code was tried %d times", n)
		}
	})
}

func mixUp(t *testing.T) {
	on(t, nil, func(b *bench) {
		for _, iss := range []string{"https://other.example", issuer + "/", "https://ID.example"} {
			_, err := b.Exchange(b.Context(), callback("iss", iss))
			checkError(b.T, err, oidc.ErrInvalid, "iss")
			// Not even an error answer of another provider is believed.
			c := callback("iss", iss, "error", "access_denied")
			c.Query.Del("code")
			_, err = b.Exchange(b.Context(), c)
			checkError(b.T, err, oidc.ErrInvalid, "iss")
		}
		if b.count("/token") != 0 {
			b.Error("another provider's code was redeemed here")
		}
		if _, err := b.Exchange(b.Context(), callback("iss", issuer)); err != nil {
			b.Errorf("our own provider: %v", err)
		}
	})
}

func promisedIssuer(t *testing.T) {
	on(t, func(p *peer, _ *oidc.Options) {
		p.document["authorization_response_iss_parameter_supported"] = true
	}, func(b *bench) {
		b.mustFail(oidc.ErrInvalid, "iss")
		if _, err := b.Exchange(b.Context(), callback("iss", issuer)); err != nil {
			b.Errorf("with it: %v", err)
		}
	})
}

func headerKeys(t *testing.T) {
	foreign := jose.JSONWebKey{Key: secondRSA().Public(), KeyID: "one"}
	for name, value := range map[string]any{
		"jwk": foreign, "jku": issuer + "/evil", "x5u": issuer + "/evil", "x5c": []string{"AAAA"},
	} {
		on(t, nil, func(b *bench) {
			// Signed by the attacker, who sends the key along.
			b.header[name] = value
			b.idToken = (&peer{t: b.T, header: b.header,
				keys: []published{{id: "one", private: secondRSA()}}}).sign(b.goodClaims())
			b.mustFail(oidc.ErrInvalid, "")
			if b.count("/evil") != 0 {
				b.Errorf("%s was followed", name)
			}
		})
	}
}

func wrongIssuers(t *testing.T) {
	for _, iss := range []any{nil, "", issuer + "/", "https://ID.EXAMPLE", "http://id.example",
		"https://other.example", "https://id.example/{tenantid}", []string{issuer}} {
		on(t, nil, func(b *bench) {
			b.claims["iss"] = iss
			b.mustFail(oidc.ErrInvalid, "issued by")
		})
	}
}

func wrongAudiences(t *testing.T) {
	for name, claims := range map[string]map[string]any{
		"missing":            {"aud": nil},
		"another":            {"aud": "other"},
		"upper case":         {"aud": strings.ToUpper(client)},
		"a list of others":   {"aud": []string{"other", "third"}},
		"ours among others":  {"aud": []string{client, "other"}},
		"no text":            {"aud": []any{map[string]string{"a": client}}},
		"of another's token": {"aud": []string{client, "other"}, "azp": "other"},
	} {
		on(t, nil, func(b *bench) {
			b.claims = claims
			if _, err := b.signIn(); !errors.Is(err, oidc.ErrInvalid) {
				b.Errorf("%s: %v", name, err)
			}
		})
	}
	on(t, nil, func(b *bench) {
		b.claims = map[string]any{"aud": []string{client, "other"}, "azp": client}
		b.mustSignIn()
	})
}

func wrongParties(t *testing.T) {
	for _, azp := range []any{"other", "", strings.ToUpper(client), []string{client}} {
		on(t, nil, func(b *bench) {
			b.claims["azp"] = azp
			b.mustFail(oidc.ErrInvalid, "azp")
		})
	}
}

func accessAsID(t *testing.T) {
	for _, typ := range []string{"at+jwt", "application/at+jwt", "AT+JWT", "logout+jwt"} {
		on(t, nil, func(b *bench) {
			b.header["typ"] = typ
			b.mustFail(oidc.ErrInvalid, "no ID token")
		})
	}
}

func accessTokenSwap(t *testing.T) {
	on(t, nil, func(b *bench) {
		b.claims["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA"
		b.mustFail(oidc.ErrInvalid, "at_hash")
	})
}

func deceivingAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"attacker@evil.com@company.com": "", `"a@company.com"@evil`: "", "a@company.com\x00": "",
		"a b@company.com": "", "@company.com": "", "a@": "", "a": "", "<a@company.com>": "",
		"a@company.com\r\nBcc: x": "", "a@company.com,b": "",
		"a@company.com.evil.com": "a@company.com.evil.com", "A@COMPANY.COM": "A@company.com",
	} {
		on(t, nil, func(b *bench) {
			b.claims["email"] = address
			c := b.mustSignIn()
			if c.Email != want || c.EmailVerified != (want != "") {
				b.Errorf("%q is %q, verified %v", address, c.Email, c.EmailVerified)
			}
		})
	}
	for _, verified := range []any{"true", 1, false, nil, "yes"} {
		on(t, nil, func(b *bench) {
			b.claims["email_verified"] = verified
			if c := b.mustSignIn(); c.EmailVerified {
				b.Errorf("email_verified of %v is believed", verified)
			}
		})
	}
	on(t, nil, func(b *bench) {
		b.claims["email"] = "a@cоmpany.com" // with a letter of another script
		if c := b.mustSignIn(); c.EmailVerified {
			b.Error("an address of letters that look like others is verified")
		}
	})
}

func groupTypes(t *testing.T) {
	many := make([]string, 12_000)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	for name, c := range map[string]struct {
		claim   any
		want    []string
		unknown bool
	}{
		"a text":           {"admins", []string{"admins"}, false},
		"a text of two":    {"admins,users", []string{"admins,users"}, false},
		"an object":        {map[string]int{"admins": 1}, nil, false},
		"one with a comma": {[]string{"admins,x"}, []string{"admins,x"}, false},
		"nested":           {[]any{[]string{"admins"}}, nil, false},
		"numbers":          {[]any{"admins", 1}, nil, false},
		"null":             {[]any{"admins", nil}, nil, false},
		"true":             {true, nil, false},
		"cases":            {[]string{"Admins", "admins"}, []string{"Admins", "admins"}, false},
		"the same twice":   {[]string{"a", "a"}, []string{"a"}, false},
		"controls":         {[]string{"a\nb", "", "c"}, []string{"c"}, false},
	} {
		on(t, nil, func(b *bench) {
			b.claims["groups"] = c.claim
			got := b.mustSignIn()
			if len(got.Groups)+len(c.want) > 0 && !reflect.DeepEqual(got.Groups, c.want) ||
				got.GroupsUnknown != c.unknown {
				b.Errorf("%s: %q, unknown %v", name, got.Groups, got.GroupsUnknown)
			}
		})
	}
	on(t, func(p *peer, _ *oidc.Options) {
		p.document["userinfo_endpoint"] = issuer + "/userinfo"
	}, func(b *bench) {
		b.claims["groups"] = nil
		b.page("/userinfo", answering(map[string]any{"sub": "subject-1", "groups": many}))
		if c := b.mustSignIn(); !c.GroupsUnknown || len(c.Groups) > 0 {
			b.Errorf("12,000 groups: %d of them, unknown %v", len(c.Groups), c.GroupsUnknown)
		}
	})
}

func userinfoSwap(t *testing.T) {
	for _, sub := range []any{"subject-2", "", nil, "Subject-1"} {
		on(t, func(p *peer, _ *oidc.Options) {
			p.document["userinfo_endpoint"] = issuer + "/userinfo"
		}, func(b *bench) {
			b.claims["groups"] = nil
			b.page("/userinfo", answering(map[string]any{"sub": sub, "groups": []string{"admins"}}))
			b.mustFail(oidc.ErrInvalid, "another subject")
		})
	}
}

func disabledAccount(t *testing.T) {
	on(t, nil, func(b *bench) {
		b.page("/token", refusing(http.StatusBadRequest, map[string]string{
			"error": "invalid_grant", "error_description": "AADSTS50057: The account is disabled.",
		}))
		_, err := b.Refresh(b.Context(), "the-refresh-token", "subject-1")
		checkError(b.T, err, oidc.ErrRevoked, "disabled")
	})
}

func refreshSwap(t *testing.T) {
	on(t, nil, func(b *bench) {
		b.claims["sub"] = "subject-2"
		_, err := b.Refresh(b.Context(), "the-refresh-token", "subject-1")
		checkError(b.T, err, oidc.ErrRevoked, "another account")
	})
}
