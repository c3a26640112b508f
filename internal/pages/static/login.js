"use strict";
(() => {
	const endpoint = "../../../client/v3/login";
	const secrets = ["type", "token", "loginToken", "identifier", "user", "medium", "address", "password", "access_token"];
	const query = new URLSearchParams(location.search);
	const form = document.querySelector("form");

	// What the client wants to have said about itself, such as its device ID.
	const about = {};
	for (const [name, value] of query) {
		if (!secrets.includes(name)) {
			about[name] = name === "refresh_token" ? value === "true" : value;
		}
	}

	const complain = (text) => {
		let line = document.querySelector(".error");
		if (!line) {
			line = document.createElement("p");
			line.className = "error";
			line.setAttribute("role", "alert");
			document.querySelector("h1").after(line);
		}
		line.textContent = text;
	};

	const login = async (credentials) => {
		try {
			const response = await fetch(endpoint, {
				method: "POST",
				headers: { "Content-Type": "application/json" },
				body: JSON.stringify({ ...about, ...credentials }),
			});
			const answer = await response.json();
			if (!response.ok) {
				complain(answer.error || "The login has failed.");
				return;
			}
			if (window.matrixLogin && typeof window.matrixLogin.onLogin === "function") {
				window.matrixLogin.onLogin(answer);
			} else if (typeof window.onLogin === "function") {
				window.onLogin(answer);
			} else {
				complain("You are signed in, but no app waits for it: this page is to be opened by one.");
			}
		} catch (err) {
			complain("The server cannot be reached.");
		}
	};

	// Identity providers lead back to this page.
	const back = new URL(location.href);
	back.searchParams.delete("loginToken");
	for (const link of document.querySelectorAll("a[href]")) {
		link.href = `${link.getAttribute("href")}?redirectUrl=${encodeURIComponent(back.href)}`;
	}
	if (form) {
		form.addEventListener("submit", (event) => {
			event.preventDefault();
			login({
				type: "m.login.password",
				identifier: { type: "m.id.user", user: form.elements.user.value },
				password: form.elements.password.value,
			});
		});
	}
	if (query.has("loginToken")) {
		history.replaceState(null, "", back.href);
		login({ type: "m.login.token", token: query.get("loginToken") });
	}
})();
