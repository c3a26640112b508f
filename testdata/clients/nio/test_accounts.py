"""Sessions, profiles, files."""

import io
import os
import tempfile

from nio import DeleteDevicesAuthResponse, PushNotify, PushRuleKind, PushRulesEvent
from nio.crypto import decrypt_attachment

from people import Test

picture = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63505870000001e400e1a85a3d3d0000000049454e44ae426082"
)


class Accounts(Test):
    async def test_sessions(self):
        phone = await self.person("ann")
        laptop, other = self.client("ann"), self.client("ann")
        self.refused(await laptop.login("wrong"), "M_FORBIDDEN")
        self.ok(await laptop.login("password of ann", device_name="laptop"))
        self.assertEqual(self.ok(await laptop.whoami()).device_id, laptop.device_id)
        self.assertEqual({device.display_name for device in self.ok(await laptop.devices()).devices}, {"phone", "laptop"})

        asked = await laptop.delete_devices([phone.device_id])
        self.assertIsInstance(asked, DeleteDevicesAuthResponse)
        proof = {"type": "m.login.password", "session": asked.session, "user": laptop.user_id}
        self.assertIsInstance(await laptop.delete_devices([phone.device_id], {**proof, "password": "wrong"}), DeleteDevicesAuthResponse)
        self.ok(await laptop.delete_devices([phone.device_id], {**proof, "password": "password of ann"}))
        self.refused(await phone.whoami(), "M_UNKNOWN_TOKEN")

        other.restore_login(laptop.user_id, laptop.device_id, laptop.access_token)
        self.ok(await other.whoami())
        self.ok(await laptop.logout(all_devices=True))
        self.refused(await other.whoami(), "M_UNKNOWN_TOKEN")
        self.refused(await other.register("ann", "x"), "M_USER_IN_USE")

    async def test_profile_and_files(self):
        ben, cat = await self.person("ben"), await self.person("cat")
        uri = self.ok(await ben.upload(io.BytesIO(picture), "image/png", "ö.png", filesize=len(picture))).content_uri
        self.ok(await ben.set_displayname("Ben Ö"))
        self.ok(await ben.set_avatar(uri))
        profile = self.ok(await cat.get_profile(ben.user_id))
        self.assertEqual((profile.displayname, profile.avatar_url), ("Ben Ö", uri))

        got = self.ok(await cat.download(uri))
        self.assertEqual((got.body, got.content_type, got.filename), (picture, "image/png", "ö.png"))
        self.assertEqual(self.ok(await cat.download(uri, filename="other.png")).filename, "other.png")
        self.assertTrue(self.ok(await cat.thumbnail("example.org", uri.rsplit("/", 1)[1], 32, 32)).body)

        secret = os.urandom(300_000)
        with tempfile.NamedTemporaryFile() as file:
            file.write(secret)
            file.flush()
            upload, key = await ben.upload(lambda *_: file.name, encrypt=True)  # had it said the size, the answer could outrun the key
        got = self.ok(await cat.download(self.ok(upload).content_uri)).body
        self.assertEqual(decrypt_attachment(got, key["key"]["k"], key["hashes"]["sha256"], key["iv"]), secret)

    async def test_push_rules(self):
        dan, rules = await self.person("dan"), []
        dan.add_global_account_data_callback(rules.append, PushRulesEvent)
        self.ok(await dan.set_pushrule("global", PushRuleKind.content, "cake", actions=[PushNotify()], pattern="cake*"))
        self.ok(await dan.sync())
        self.assertIn("cake", [rule.id for rule in rules[-1].global_rules.content])
        self.ok(await dan.delete_pushrule("global", PushRuleKind.content, "cake"))
        self.refused(await dan.delete_pushrule("global", PushRuleKind.content, "cake"), "M_NOT_FOUND")
