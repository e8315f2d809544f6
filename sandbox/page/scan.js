// A customer's phone after opening a contact way: one button adds the member.
const config = location.pathname.split("/").at(-1);
const words = { added: "已添加，可以聊天了", one_way: "已添加，等待对方通过", requested: "已申请，等待对方通过", already_friends: "你们已经是好友", temp_chat: "临时会话已开始" };

document.getElementById("scan").addEventListener("submit", async (event) => {
  event.preventDefault();
  const wish = { act: "customer_scans", corp_id: event.target.dataset.corp, config_id: config, name: event.target.elements.name.value };
  const response = await fetch("/_sandbox/acts", { method: "POST", body: JSON.stringify(wish) });
  const answer = await response.json();
  document.getElementById("result").textContent = answer.error || `${words[answer.result]}（${answer.userid}）`;
});
