package entratest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// mostAtOnce is how many objects a page of Graph has at most, usualAtOnce how
// many without a wish.
const (
	mostAtOnce  = 999
	usualAtOnce = 100
)

// graph lets a request through that has a good token with a scope, or a greater
// one.
func (s *Server) graph(answer func(http.ResponseWriter, *http.Request, *grant), scope string,
) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		g := s.access[token]
		switch {
		case g == nil:
			s.graphError(w, http.StatusUnauthorized, "InvalidAuthenticationToken",
				"Access token is empty or invalid.")
		case s.now().After(g.expires):
			s.graphError(w, http.StatusUnauthorized, "InvalidAuthenticationToken",
				"Lifetime validation failed, the token is expired.")
		case g.account == nil:
			s.graphError(w, http.StatusBadRequest, "BadRequest",
				"/me request is only valid with delegated authentication flow.")
		case g.account.Challenged || g.epoch != g.account.epoch || g.account.Disabled:
			s.challenge(w, r)
		case !g.may(scope):
			s.graphError(w, http.StatusForbidden, "Authorization_RequestDenied",
				"Insufficient privileges to complete the operation.")
		default:
			answer(w, r, g)
		}
	}
}

// may says whether a token has a scope, by its short or its long name.
func (g *grant) may(scope string) bool {
	enough := []string{scope}
	if scope != "openid" {
		enough = append(enough, "User.Read.All", "Directory.Read.All")
	}
	return slices.ContainsFunc(g.scopes, func(has string) bool {
		return slices.Contains(enough, has[strings.LastIndex(has, "/")+1:])
	})
}

// challenge is the answer of continuous access evaluation: only a new sign-in
// with these claims helps.
func (s *Server) challenge(w http.ResponseWriter, r *http.Request) {
	claims := base64.StdEncoding.EncodeToString([]byte(`{"access_token":{"nbf":{"essential":true,` +
		`"value":"` + strconv.FormatInt(s.now().Unix(), 10) + `"}}}`))
	w.Header().Set("WWW-Authenticate", `Bearer realm="", authorization_uri="`+base(r)+
		`/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000",`+
		` error="insufficient_claims", claims="`+claims+`"`)
	s.graphError(w, http.StatusUnauthorized, "InvalidAuthenticationToken",
		"Continuous access evaluation resulted in challenge with result: InteractionRequired.")
}

func (s *Server) graphError(w http.ResponseWriter, status int, code, text string) {
	writeJSON(w, status, map[string]any{"error": map[string]any{
		"code": code, "message": text, "innerError": map[string]any{
			"date":       s.now().UTC().Format("2006-01-02T15:04:05"),
			"request-id": guid(code, s.now().Format(time.RFC3339Nano)),
		},
	}})
}

func (s *Server) userInfo(w http.ResponseWriter, _ *http.Request, g *grant) {
	claims := map[string]any{"sub": pairwise(g.app, g.account), "name": g.account.Name,
		"picture": "https://graph.microsoft.com/v1.0/me/photo/$value"}
	if g.account.Mail != "" {
		claims["email"] = g.account.Mail
	}
	writeJSON(w, http.StatusOK, claims)
}

func (s *Server) me(w http.ResponseWriter, r *http.Request, g *grant) {
	writeJSON(w, http.StatusOK, map[string]any{
		"@odata.context": base(r) + "/v1.0/$metadata#users/$entity",
		"id":             g.account.ID, "displayName": g.account.Name, "mail": g.account.Mail,
		"userPrincipalName": g.account.Username,
	})
}

// memberObjects gives all ids in one answer.
func (s *Server) memberObjects(w http.ResponseWriter, r *http.Request, g *grant) {
	var body struct{ SecurityEnabledOnly *bool }
	if json.NewDecoder(r.Body).Decode(&body) != nil || body.SecurityEnabledOnly == nil {
		s.graphError(w, http.StatusBadRequest, "Request_BadRequest",
			"Required parameter 'securityEnabledOnly' is missing.")
		return
	}
	ids := slices.Clone(g.account.Groups)
	if !*body.SecurityEnabledOnly {
		ids = append(ids, g.account.DirectoryRoles...)
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"@odata.context": base(r) + "/v1.0/$metadata#Collection(Edm.String)",
		"value":          append([]string{}, ids...),
	})
}

// memberOf gives objects page by page. Groups alone, by a cast, are an advanced
// query, which has to say that it may be told what was true a moment ago.
func (s *Server) memberOf(w http.ResponseWriter, r *http.Request, g *grant) {
	q, cast := r.URL.Query(), r.PathValue("cast")
	if cast != "" && (cast != "microsoft.graph.group" || q.Get("$count") != "true" ||
		!strings.EqualFold(r.Header.Get("ConsistencyLevel"), "eventual")) {
		s.graphError(w, http.StatusBadRequest, "Request_UnsupportedQuery",
			"The specified query needs $count=true and the header ConsistencyLevel: eventual.")
		return
	}
	top, err := strconv.Atoi(q.Get("$top"))
	if q.Get("$top") == "" {
		top, err = usualAtOnce, nil
	}
	if err != nil || top < 1 || top > mostAtOnce {
		s.graphError(w, http.StatusBadRequest, "Request_BadRequest",
			"Invalid page size specified.")
		return
	}
	objects := s.objects("#microsoft.graph.group", g.account.Groups, g)
	if cast == "" {
		objects = append(objects, s.objects("#microsoft.graph.directoryRole",
			g.account.DirectoryRoles, g)...)
	}
	writeJSON(w, http.StatusOK, page(r, objects, top))
}

// page is the part of a list that a request asks for, with the way to the next.
func page(r *http.Request, objects []map[string]any, top int) map[string]any {
	q := r.URL.Query()
	skip, _ := strconv.Atoi(q.Get("$skiptoken")) // what is no number begins at the start
	skip = min(max(skip, 0), len(objects))
	end := min(skip+top, len(objects))
	body := map[string]any{
		"@odata.context": base(r) + "/v1.0/$metadata#directoryObjects",
		"value":          append([]map[string]any{}, objects[skip:end]...),
	}
	if q.Get("$count") == "true" {
		body["@odata.count"] = len(objects)
	}
	if end < len(objects) {
		q.Set("$skiptoken", strconv.Itoa(end))
		next := url.URL{Scheme: "https", Host: r.Host, Path: r.URL.Path, RawQuery: q.Encode()}
		body["@odata.nextLink"] = next.String()
	}
	return body
}

// objects have names for those who may read groups.
func (s *Server) objects(kind string, ids []string, g *grant) []map[string]any {
	var objects []map[string]any
	for _, id := range ids {
		object := map[string]any{"@odata.type": kind, "id": id, "displayName": nil}
		if g.may("GroupMember.Read.All") || g.may("Group.Read.All") {
			object["displayName"] = s.groups[id]
		}
		objects = append(objects, object)
	}
	return objects
}

// names tells what up to 1000 ids are.
func (s *Server) names(w http.ResponseWriter, r *http.Request, g *grant) {
	var body struct{ IDs []string }
	if json.NewDecoder(r.Body).Decode(&body) != nil || len(body.IDs) == 0 || len(body.IDs) > 1000 {
		s.graphError(w, http.StatusBadRequest, "Request_BadRequest",
			"Between 1 and 1000 ids are allowed.")
		return
	}
	known := slices.DeleteFunc(body.IDs, func(id string) bool { return s.groups[id] == "" })
	objects := s.objects("#microsoft.graph.group", known, g)
	writeJSON(w, http.StatusOK, map[string]any{"value": append([]map[string]any{}, objects...)})
}

func (s *Server) photo(w http.ResponseWriter, _ *http.Request, g *grant) {
	if g.account.Photo == nil {
		s.graphError(w, http.StatusNotFound, "ImageNotFound",
			"Exception of type 'Microsoft.Fast.Profile.Core.Exception.ImageNotFoundException'"+
				" was thrown.")
		return
	}
	w.Header().Set("Content-Type", "image/jpeg")
	_, _ = w.Write(g.account.Photo)
}

// photoSize tells of a picture. The one that is not there is a GIF of one pixel.
func (s *Server) photoSize(w http.ResponseWriter, r *http.Request, g *grant) {
	kind, size := "image/jpeg", 96
	if g.account.Photo == nil {
		kind, size = "image/gif", 1
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"@odata.context":          base(r) + "/v1.0/$metadata#users/photo/$entity",
		"@odata.mediaContentType": kind, "id": strconv.Itoa(size) + "x" + strconv.Itoa(size),
		"width": size, "height": size,
	})
}
