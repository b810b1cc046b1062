"use strict";
// One clip, many systems: choosing another system keeps the position.
(() => {
  const players = [];
  const repeat = document.getElementById("repeat");

  class Player {
    constructor(root) {
      this.cells = [...root.querySelectorAll(".cell")];
      this.sounds = this.cells.map((cell) => cell.querySelector("audio"));
      this.seek = root.querySelector(".seek");
      this.clock = root.querySelector("output");
      this.current = 0;
      this.cells.forEach((cell, index) => {
        cell.tabIndex = index ? -1 : 0;
        cell.addEventListener("click", () => this.choose(index));
        cell.addEventListener("keydown", (event) => this.key(event, index));
      });
      this.sounds.forEach((sound) => sound.addEventListener("ended", () => this.ended(sound)));
      this.seek.addEventListener("input", () => this.go(Number(this.seek.value)));
      document.addEventListener("pick", () => this.picked());
    }

    // A system that is picked no more is not heard.
    picked() {
      if (!this.cells[this.current].hidden) { return; }
      this.switchTo(Math.max(0, this.cells.findIndex((cell) => !cell.hidden)));
    }

    get sound() { return this.sounds[this.current]; }
    get playing() { return !this.sound.paused; }

    choose(index) {
      if (index === this.current && this.playing) { this.pause(); return; }
      this.switchTo(index);
      this.play();
    }

    switchTo(index) {
      const at = Number(this.seek.value);
      const exact = this.playing ? this.sound.currentTime : at;
      this.pause();
      this.current = index;
      this.cells.forEach((cell, other) => { cell.tabIndex = other === index ? 0 : -1; });
      this.go(exact);
    }

    go(seconds) {
      this.sound.currentTime = seconds;
      this.show(seconds);
    }

    play() {
      players.forEach((other) => { if (other !== this) { other.pause(); } });
      const started = this.sound.play();
      if (started) { started.catch(() => this.show(this.sound.currentTime)); }
      this.tick();
    }

    pause() {
      this.sound.pause();
      this.show(this.sound.currentTime);
    }

    ended(sound) {
      if (sound !== this.sound) { return; }
      this.go(0);
      if (repeat.checked) { this.play(); }
    }

    tick() {
      this.show(this.sound.currentTime);
      if (this.playing) { requestAnimationFrame(() => this.tick()); }
    }

    show(seconds) {
      this.seek.value = seconds;
      this.clock.textContent = seconds.toFixed(1);
      this.cells.forEach((cell, index) => {
        const chosen = index === this.current;
        cell.setAttribute("aria-pressed", String(chosen));
        cell.classList.toggle("playing", chosen && this.playing);
      });
      const head = this.cells[this.current].querySelector(".head");
      head.style.setProperty("--at", String(seconds / Number(this.seek.max)));
    }

    key(event, index) {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) { return; }
      event.preventDefault();
      let next = index;
      do { next = (next + step + this.cells.length) % this.cells.length; } while (this.cells[next].hidden);
      const playing = this.playing;
      this.switchTo(next);
      this.cells[next].focus();
      if (playing) { this.play(); }
    }
  }

  document.querySelectorAll(".player").forEach((root) => players.push(new Player(root)));
})();
